// What a bulk import reads and tells: CSV, rows, state, report.
#include "core/crypto/openssl_crypto.hpp"
#include "daemon/importer/bulk_report.hpp"
#include "daemon/importer/bulk_rows.hpp"
#include "daemon/importer/bulk_state.hpp"
#include "daemon/importer/csv.hpp"

#include <gtest/gtest.h>

namespace connector::importer {
namespace {

using request::Purpose;

std::vector<CsvRow> rows(std::string_view text) {
    auto read = read_csv(text);
    EXPECT_TRUE(read) << (read ? "" : read.error().message);
    return read ? std::move(*read) : std::vector<CsvRow>();
}
std::string fault(std::string_view text) {
    const auto read = read_csv(text);
    EXPECT_FALSE(read);
    return read ? "" : read.error().message;
}
std::vector<BulkRow> of_csv(std::string_view text, bool has_password = true) {
    BulkDefaults defaults;
    defaults.has_password = has_password;
    auto read = rows_of_csv(rows(text), defaults);
    EXPECT_TRUE(read) << (read ? "" : read.error().message);
    return read ? std::move(*read) : std::vector<BulkRow>();
}
std::string header_fault(std::string_view text) {
    const auto read = rows_of_csv(rows(text), {});
    EXPECT_FALSE(read);
    return read ? "" : read.error().message;
}
std::string why(const BulkRow& row) {
    return row.fault ? row.fault->message : "";
}

TEST(Csv, ReadsWhatSpreadsheetsWrite) {
    const auto read = rows(
        "\xEF\xBB\xBF"
        "file,upn\r\n\"a, b \"\"c\"\".pfx\",x@y.z\r\n\r\n x , spaces \n");
    ASSERT_EQ(read.size(), 3U);
    EXPECT_EQ(read[0].cells, (std::vector<std::string>{"file", "upn"}));
    EXPECT_EQ(read[1].cells[0], "a, b \"c\".pfx");
    EXPECT_EQ(read[2].cells, (std::vector<std::string>{" x ", " spaces "}));
}
TEST(Csv, KnowsWhereARowBegins) {
    const auto read = rows("file,upn\n\na.pfx,x\n\"b, c\",\"\"\n\nlast,y");
    ASSERT_EQ(read.size(), 4U);
    EXPECT_EQ(read[1].line, 3U);
    EXPECT_EQ(read[2].line, 4U);
    EXPECT_EQ(read[2].cells, (std::vector<std::string>{"b, c", ""}));
    EXPECT_EQ(read[3].line, 6U);
    EXPECT_EQ(read[3].cells, (std::vector<std::string>{"last", "y"}));
}
TEST(Csv, RefusesWhatItCannotKnow) {
    EXPECT_TRUE(fault("a,b\nx\"y,z\n").starts_with("line 2: a quotation mark"));
    EXPECT_TRUE(fault("a,b\n\"x,z\n").starts_with("line 2: a quotation mark that is never closed"));
    EXPECT_TRUE(fault("a,b\nx,\xFF\n").starts_with("line 2: not UTF-8"));
    EXPECT_TRUE(fault("a,b\nx,y\x1B[2J\n").starts_with("line 2: a control character"));
    EXPECT_TRUE(fault(std::string("a,b\nx,y\0\n", 9)).starts_with("line 2: a control character"));
    EXPECT_TRUE(fault("a\n" + std::string(5000, 'x')).starts_with("line 2: a cell of more"));
    EXPECT_TRUE(fault(std::string(30, ',')).starts_with("line 1: more than 20"));
    std::string many;
    for (std::size_t i = 0; i < k_csv_most_rows + 2; ++i) many += "x\n";
    EXPECT_NE(fault(many).find("more than 100,000 rows"), std::string::npos);
}
TEST(Csv, WritesNoFormula) {
    EXPECT_EQ(csv_line({"=1+1", "+x", "-x", "@x", " =x", "x=1", "", "a\"b"}),
              "\"'=1+1\",\"'+x\",\"'-x\",\"'@x\",\"' =x\",\"x=1\",\"\",\"a\"\"b\"\r\n");
    const std::string odd = csv_line({"\t=1", "\r=1", "\n=1"});
    EXPECT_EQ(odd.find_first_of("\t\n"), odd.size() - 1);
    EXPECT_EQ(odd.find('\r'), odd.size() - 2);
}

TEST(BulkRows, StayBelowTheFolder) {
    for (const char* path : {"", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "C:/x", "a\\b", ".", "a\x01"})
        EXPECT_FALSE(steps_below(path)) << path;
    EXPECT_EQ(steps_below("a/./b//c.pfx").value(), (std::vector<std::string>{"a", "b", "c.pfx"}));
    EXPECT_TRUE(steps_below("a..b/..c")) << "dots in a name are no way up";
}
TEST(BulkRows, OfACsv) {
    const auto read = of_csv(
        "upn,file,purpose,password-file,address\n"
        "Alice@corp.example,a.pfx,smimeEncryption,a.txt,old@corp.example; A.S@corp.example\n"
        "nobody,a.pfx,smimeEncryption,,\n"
        "a@b.example,../a.pfx,smimeEncryption,,\n"
        "a@b.example,a.pfx,mail,,\n"
        "a@b.example,a.pfx,,,\n"
        "a@b.example,a.pfx,wifi,/etc/shadow,\n"
        "a@b.example,a.pfx\n"
        "a@b.example,a.pfx,wifi,,x\n");
    ASSERT_EQ(read.size(), 8U);
    EXPECT_EQ(why(read[0]), "");
    EXPECT_EQ(read[0].addresses.size(), 2U);
    EXPECT_EQ(read[0].password_file, "a.txt");
    EXPECT_NE(why(read[1]).find("userPrincipalName"), std::string::npos);
    EXPECT_NE(why(read[2]).find("leaves the folder"), std::string::npos);
    EXPECT_NE(why(read[3]).find("\"mail\""), std::string::npos);
    EXPECT_NE(why(read[4]).find("--purpose"), std::string::npos);
    EXPECT_NE(why(read[5]).find("absolute"), std::string::npos);
    EXPECT_NE(why(read[6]).find("2 cells"), std::string::npos);
    EXPECT_NE(why(read[7]).find("address"), std::string::npos);
    EXPECT_NE(why(of_csv("file,upn,purpose\na.pfx,a@b.example,wifi\n", false)[0]).find("no password"),
              std::string::npos);
}
TEST(BulkRows, HeadersThatAreNone) {
    EXPECT_NE(header_fault("file;upn\n").find("semicolons"), std::string::npos);
    EXPECT_NE(header_fault("sep=,\nfile,upn\n").find("take the line out"), std::string::npos);
    EXPECT_NE(header_fault("file,user\n").find("\"user\""), std::string::npos);
    EXPECT_NE(header_fault("file,purpose\n").find("needed"), std::string::npos);
    EXPECT_NE(header_fault("file,upn,file\n").find("twice"), std::string::npos);
    EXPECT_NE(header_fault("").find("empty"), std::string::npos);
}
TEST(BulkRows, OfAFolder) {
    BulkDefaults defaults;
    defaults.purpose = Purpose::smime_encryption;
    const auto read = rows_of_folder(
        {"README.txt", "a@b.example/2018.pfx", "a@b.example/2020.P12", "a@b.example/2020.P12.password",
         "a@b.example/password", "a@b.example/wifi/w.pfx", "b@b.example/x.pfx", "loose.pfx", "nobody/x.pfx"},
        defaults);
    ASSERT_EQ(read.size(), 6U);
    EXPECT_EQ(read[0].password_file, "a@b.example/password");
    EXPECT_EQ(read[0].purpose, Purpose::smime_encryption);
    EXPECT_EQ(read[1].password_file, "a@b.example/2020.P12.password");
    EXPECT_EQ(read[2].purpose, Purpose::wifi);
    EXPECT_EQ(read[2].password_file, "a@b.example/password");
    EXPECT_NE(why(read[3]).find("no password"), std::string::npos);
    EXPECT_NE(why(read[4]).find("whose it is"), std::string::npos);
    EXPECT_NE(why(read[5]).find("userPrincipalName"), std::string::npos);
}
TEST(BulkRows, OfOnePersonAreWorkedTogether) {
    auto read = of_csv(
        "file,upn,purpose\n1,a@b.example,wifi\n2,c@b.example,wifi\n3,A@B.example,wifi\n4,a@b.example,smimeSigning\n"
        "5,x,wifi\n");
    const auto groups = group_by_owner(read);
    EXPECT_EQ(groups, (std::vector<std::vector<std::size_t>>{{0, 2}, {1}, {3}}));
    std::vector<BulkRow> many(k_bulk_most_of_one_user + 1, read[0]);
    EXPECT_EQ(group_by_owner(many).at(0).size(), k_bulk_most_of_one_user);
    EXPECT_TRUE(many.back().fault);
}

TEST(BulkState, OutlivesATornLine) {
    const crypto::OpenSslCrypto crypto;
    const auto read = of_csv("file,upn,purpose\n1,a@b.example,wifi\n");
    const WrappingKey key{"p", "k", {1, 2}};
    const Sha256 file = crypto.sha256(bytes_of("file"));
    const Sha256 work = work_of(crypto, file, read[0], key, "https://a");
    const Sha256 certificate = crypto.sha256(bytes_of("certificate"));
    const std::string line = BulkState::line_of(work, certificate);
    EXPECT_EQ(line.find("a@b"), std::string::npos);

    const std::string whole = BulkState::first_line() + line;
    EXPECT_EQ(BulkState::parse(whole)->done(work), certificate);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto torn = BulkState::parse(std::string_view(whole).substr(0, size));
        ASSERT_TRUE(torn) << size;
        EXPECT_EQ(torn->size(), 0U) << size;
    }
    EXPECT_FALSE(BulkState::parse("file,upn\nx,y\n"));

    auto other = read[0];
    other.user_principal_name = "A@B.EXAMPLE";
    EXPECT_EQ(work_of(crypto, file, other, key, "https://a"), work) << "a user's name has no case";
    other.purpose = Purpose::unassigned;
    EXPECT_NE(work_of(crypto, file, other, key, "https://a"), work);
    EXPECT_NE(work_of(crypto, file, read[0], {"p", "k2", {1, 2}}, "https://a"), work);
    EXPECT_NE(work_of(crypto, file, read[0], {"p", "k", {1, 3}}, "https://a"), work);
    EXPECT_NE(work_of(crypto, file, read[0], key, "https://b"), work);
    EXPECT_NE(work_of(crypto, certificate, read[0], key, "https://a"), work);
}

TEST(BulkReport, TellsEveryRowHarmlessly) {
    const auto read = of_csv("file,upn,purpose\n\"=HYPERLINK(\"\"x\"\")\",a@b.example,wifi\n");
    RowResult result;
    result.refuse(Error(ErrorKind::refused, "importInvalid", "=cmd|' /C calc'!A0"));
    result.warnings = {"one", "two"};
    const std::string line = report_csv_line(read[0], result);
    EXPECT_NE(line.find("\"'=HYPERLINK"), std::string::npos) << line;
    EXPECT_NE(line.find("\"'=cmd"), std::string::npos) << line;
    EXPECT_NE(line.find("one; two"), std::string::npos);
    const std::string expected =
        "{\"line\":2,\"file\":\"=HYPERLINK(\\\"x\\\")\",\"userPrincipalName\":\"a@b.example\","
        "\"purpose\":\"wifi\",\"outcome\":\"refused\",\"code\":\"importInvalid\","
        "\"reason\":\"=cmd|' /C calc'!A0\",\"warnings\":[\"one\",\"two\"]}";
    EXPECT_EQ(report_json(read[0], result), expected);
    RowResult fine;
    fine.outcome = RowOutcome::unchanged;
    EXPECT_EQ(to_text(count({result, fine, fine})), "3 rows: 2 unchanged, 1 refused");
}

}  // namespace
}  // namespace connector::importer
