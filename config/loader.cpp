#include "config/loader.hpp"

#include "config/credentials.hpp"
#include "config/platform.hpp"
#include "config/rows.hpp"
#include "config/rules.hpp"
#include "config/value.hpp"
#include "core/printable.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

namespace connector::config {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t k_largest_file = 1024UL * 1024UL;

struct Place {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
};
Place place_of(const toml::source_region& region) {
    return {region.begin.line, region.begin.column};
}

std::string dotted(std::string_view outer, std::string_view inner) {
    return outer.empty() ? std::string(inner) : std::string(outer) + "." + std::string(inner);
}

class Loading {
public:
    Loading(const fs::path& file, Need need, NamedFiles named)
        : file_(fs::absolute(file).lexically_normal()), need_(need), named_(named) {
        const PlatformPaths paths = platform_paths();
        settings_.file = file_;
        settings_.storage.directory = paths.state;
        settings_.log.file = paths.log;
        settings_.audit.file = paths.audit;
        settings_.control.socket = paths.control;
    }

    Loaded of_text(std::string_view text) {
        end_ = end_of(text);
        toml::table root;
        try {
            root = toml::parse(text, std::string_view("toml"));
        } catch (const toml::parse_error& error) {
            tell(place_of(error.source()), "", "is not TOML: " + printable(error.description()), "");
            return finish();
        }
        // All the defaults first: a key that is absent, or wrong, has one.
        apply_defaults("", {settings_});
        walk(root, "", "", {settings_});
        derive();
        look_for_missing();
        const Tell problem = [this](std::string_view key, std::string message, std::string hint) {
            // Of a value that could not be read only that is certain.
            if (malformed_.find(key) == malformed_.end())
                tell(place_of_key(key), std::string(key), std::move(message), std::move(hint));
        };
        if (need_ == Need::run)
            check_rules(settings_, problem, [this](std::string_view key, std::string message, std::string hint) {
                const Place at = place_of_key(key);
                loaded_.warnings.push_back(
                    {file_.string(), at.line, at.column, printable(key), std::move(message), std::move(hint)});
            });
        if (need_ == Need::import_tool) check_importer_rules(settings_, problem);
        return finish();
    }

    void tell(Place at, std::string_view key, std::string_view message, std::string_view hint) {
        loaded_.problems.push_back({printable(file_.string()), at.line, at.column, printable(key),
                                    printable(message, 4096), printable(hint, 4096)});
    }

    Loaded finish() {
        const auto earlier = [](const Problem& left, const Problem& right) {
            return std::tie(left.line, left.column) < std::tie(right.line, right.column);
        };
        std::stable_sort(loaded_.problems.begin(), loaded_.problems.end(), earlier);
        std::stable_sort(loaded_.warnings.begin(), loaded_.warnings.end(), earlier);
        for (const auto& [name, key] : settings_.import_keys) {
            const std::string full = "import." + name + ".key";
            if (places_.find(full) == places_.end() || malformed_.find(full) != malformed_.end()) continue;
            const Place at = places_.find(full)->second;
            loaded_.import_keys.push_back(
                {{printable(file_.string()), at.line, at.column, printable(full), "", ""}, key});
        }
        if (loaded_.problems.empty()) loaded_.settings = std::move(settings_);
        return std::move(loaded_);
    }

private:
    // A table of the file, or one element of a map-style table.
    struct Instance {
        std::string_view section;
        std::string path;
        std::set<std::string, std::less<>> seen;
        std::optional<AuthorityType> authority_type{};
    };

    [[nodiscard]] bool looked_at(std::string_view section) const {
        const Section* known = find_section(section);
        return known == nullptr || (known->needs & bit(need_)) != 0;
    }

    void apply_defaults(std::string_view section, const Target& target) {
        const fs::path base = file_.parent_path();
        for (const Key& key : keys()) {
            const bool wanted =
                section.empty() ? key.section.find('*') == std::string_view::npos : key.section == section;
            if (wanted && key.set != nullptr && !key.default_value.empty()) key.set(target, default_of(key, base));
        }
    }

    // One table: its keys, its tables, its map-style tables; and whatever is none of these.
    void walk(const toml::table& table, std::string_view section, const std::string& path, const Target& target) {
        if (!section.empty()) {
            places_[path] = place_of(table.source());
            instances_.push_back({section, path, {}, target.authority_type});
        }
        const std::size_t instance = instances_.size();  // one above its index; 0 for the file itself
        for (const auto& [name, node] : table) {
            const std::string full = dotted(path, name.str());
            const std::string inner = dotted(section, name.str());
            if (const Key* key = section.empty() ? nullptr : find_key(section, name.str())) {
                places_[full] = place_of(name.source());
                if (foreign(*key, name, full, target)) continue;
                if (read(*key, node, full, target)) instances_[instance - 1].seen.emplace(name.str());
            } else if (const Section* known = find_section(inner)) {
                walk_section(*known, node, full, target, name);
            } else if (find_section(inner + ".*") != nullptr) {
                walk_elements(inner + ".*", node, full, target, name);
            } else if (need_ != Need::control) {
                unknown(section, name, full, node);
            }
        }
    }

    void walk_section(const Section& known, const toml::node& node, const std::string& full, const Target& target,
                      const toml::key& name) {
        if (!looked_at(known.name)) return;
        if (!known.built)
            return tell(place_of(name.source()), full, "[" + full + "] is not built yet", "take the table out");
        if (const auto* inner = node.as_table()) return walk(*inner, known.name, full, target);
        tell(place_of(name.source()), full, "must be a table", "write [" + full + "] on a line of its own");
    }

    void walk_elements(const std::string& pattern, const toml::node& node, const std::string& full,
                       const Target& target, const toml::key& table_name) {
        const Section& known = *find_section(pattern);
        if (!looked_at(known.name)) return;
        const auto* table = node.as_table();
        if (table == nullptr)
            return tell(place_of(table_name.source()), full, "must be a table of tables", "write [" + full + ".NAME]");
        for (const auto& [name, element] : *table) {
            const std::string path = dotted(full, name.str());
            const auto* inner = element.as_table();
            if (inner == nullptr) {
                tell(place_of(name.source()), path, "must be a table", "write [" + full + ".NAME] above its keys");
                continue;
            }
            const bool authority = known.name == "authority.*";
            const auto wanted = authority ? check::element_name(name.str()) : check::plain_text(name.str());
            if (wanted) {
                tell(place_of(name.source()), path, "its name must be " + *wanted, "");
                continue;
            }
            walk_element(known, *inner, std::string(name.str()), path, target);
        }
    }

    void walk_element(const Section& known, const toml::table& table, const std::string& name, const std::string& path,
                      const Target& target) {
        Target inner = target;
        if (known.name == "import.*") {
            inner.import_key = &settings_.import_keys[name];
            inner.import_key->key_name = name;
        } else if (known.name == "authority.*") {
            // The other keys are its type's own: of a type that is not known nothing more can be said.
            const Key& type = *find_key(known.name, "type");
            if (const toml::node* node = table.get("type")) {
                const Reading reading = read_value(type, *node, file_.parent_path());
                if (!reading.complaints.empty()) {
                    read(type, *node, dotted(path, "type"), inner);
                    return;
                }
                inner.authority_type = static_cast<AuthorityType>(reading.value.choice);
            }
            inner.authority = &settings_.authorities[name];
            apply_defaults("authority.*.breaker", inner);
        } else {
            inner.authority_template = &inner.authority->templates[name];
        }
        apply_defaults(known.name, inner);
        walk(table, known.name, path, inner);
    }

    // A key of another type of authority would be silently without effect.
    bool foreign(const Key& key, const toml::key& name, const std::string& full, const Target& target) {
        if (!key.only_for || !target.authority_type || key.only_for == target.authority_type) return false;
        const Key& type = *find_key("authority.*", "type");
        const auto word = [&](AuthorityType of) {
            return std::string(type.choices[static_cast<std::size_t>(of)].word);
        };
        tell(place_of(name.source()), full,
             "is a key of type " + word(*key.only_for) + ", and this is of type " + word(*target.authority_type),
             "take it out");
        return true;
    }

    // False: there, and as good as absent (an empty list where one is needed).
    bool read(const Key& key, const toml::node& node, const std::string& full, const Target& target) {
        const Reading reading = read_value(key, node, file_.parent_path());
        for (const Complaint& complaint : reading.complaints)
            tell({complaint.line, complaint.column}, full, complaint.message, complaint.hint);
        if (!reading.complaints.empty()) {
            malformed_.insert(full);
            return true;
        }
        if (!key.built && !only_default(key, reading.value)) {
            tell(place_of(node.source()), full, "is not built yet: " + std::string(key.description),
                 key.default_value.empty() ? "leave it out" : "leave it out, or at " + std::string(key.default_value));
            return true;
        }
        if (key.set != nullptr) key.set(target, reading.value);
        look_at_file(key, reading.value, place_of(node.source()), full);
        return key.type != ValueType::text_list || !reading.value.texts.empty();
    }

    [[nodiscard]] static bool only_default(const Key& key, const Value& value) {
        if (key.type == ValueType::text_list) return value.texts.empty();
        if (key.type == ValueType::path_list) return value.paths.empty();
        return key.type == ValueType::integer && std::to_string(value.number) == key.default_value;
    }

    // For the daemon every file has to be there; a command on another machine has only what it uses.
    void look_at_file(const Key& key, const Value& value, Place at, const std::string& full) {
        const bool secret = key.type == ValueType::secret || key.type == ValueType::key_file;
        if (named_ == NamedFiles::left_alone) return;
        if (need_ != Need::run && !(key.section == "management" && key.must_exist)) return;
        if (secret && value.secret.source == SecretRef::Source::file && key.name != "admin_token") {
            if (const auto looked = check_secret_file(value.secret.path, OwnerRule::anyone); !looked)
                tell(at, full, looked.error().message, "");
            else if (key.section == "sealing" && key.name == "key")
                look_at_sealing_key(value.secret.path, at, full);
        }
        if (key.must_exist && value.text != "system") look_at_certificates(value.path, at, full);
        if (key.section == "authority.*" && key.name == "directory") look_at_authority(value.path, at, full);
    }

    // The daemon does not start without; `local-ca create` makes it.
    void look_at_authority(const fs::path& directory, Place at, const std::string& full) {
        std::error_code error;
        if (fs::is_directory(directory, error)) return;
        // Who may not look into the folder above knows nothing.
        if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory) return;
        tell(at, full, directory.string() + (fs::exists(directory, error) ? " is no directory" : " does not exist"),
             "make it with pfx-connector local-ca create --directory " + directory.string());
    }

    void look_at_sealing_key(const fs::path& path, Place at, const std::string& full) {
        std::error_code error;
        const auto size = fs::file_size(path, error);
        if (!error && size != k_sealing_key_size)
            tell(at, full,
                 path.string() + " has " + std::to_string(size) + " octets; a sealing key has exactly " +
                     std::to_string(k_sealing_key_size),
                 "a new one: pfx-connector sealing create FILE; a database that is there needs its own");
    }

    void look_at_certificates(const fs::path& path, Place at, const std::string& full) {
        std::error_code error;
        const auto status = fs::status(path, error);
        std::string fault;
        if (!fs::exists(status))
            fault = "does not exist";
        else if (!fs::is_regular_file(status))
            fault = "is not a plain file";
        else if (fs::file_size(path, error) == 0)
            fault = "is empty";
        else if (!std::ifstream(path).is_open())
            fault = "may not be read by this account";
        if (!fault.empty())
            tell(at, full, path.string() + " " + fault, "relative paths are relative to the configuration file");
    }

    void unknown(std::string_view section, const toml::key& name, const std::string& full, const toml::node& node) {
        const Place at = place_of(name.source());
        if (section.empty()) {
            const std::string near = nearest_section(name.str());
            if (node.is_table())
                return tell(at, full, "there is no such table", near.empty() ? "" : "did you mean [" + near + "]?");
            const std::string key = nearest_key("", name.str());
            return tell(at, full, "stands outside of every table", key.empty() ? "" : "did you mean " + key + "?");
        }
        const std::string near = nearest_key(section, name.str());
        tell(at, full, "there is no such key", near.empty() ? "" : "did you mean " + near + "?");
    }

    void derive() {
        auto& management = settings_.management;
        if (management.certificate.empty()) management.certificate = settings_.storage.directory / "connector.crt";
        if (management.key.empty()) management.key = settings_.storage.directory / "connector.key";
        settings_.importer.rules.mail_domains = settings_.policy.allowed_mail_domains;
    }

    void look_for_missing() {
        for (const Section& section : sections()) {
            const bool named = section.name.find('*') != std::string_view::npos;
            const bool there = std::any_of(instances_.begin(), instances_.end(),
                                           [&](const Instance& instance) { return instance.section == section.name; });
            if (!named && !there && looked_at(section.name))
                instances_.push_back({section.name, std::string(section.name), {}, std::nullopt});
        }
        for (const Instance& instance : instances_)
            for (const Key& key : keys())
                if (key.section == instance.section && key.required != nullptr && key.required(settings_, need_) &&
                    (!key.only_for || key.only_for == instance.authority_type) &&
                    instance.seen.find(key.name) == instance.seen.end())
                    missing(key, dotted(instance.path, key.name));
    }

    void missing(const Key& key, const std::string& full) {
        const bool empty = places_.find(full) != places_.end();
        const std::string what = empty ? "must not be empty" : "is missing";
        std::string hint =
            key.type == ValueType::choice ? choices_explained(key.choices) : "must be " + expected_form(key);
        if (!key.sample.empty() && key.type != ValueType::choice) hint += ", such as " + std::string(key.sample);
        tell(place_of_key(full), full, what + "; it is needed by " + std::string(key.needed_by), hint);
    }

    // Of the key, else of its table, else where it could be written: at the file's end.
    [[nodiscard]] Place place_of_key(std::string_view key) const {
        for (std::string path(key); !path.empty();) {
            if (const auto found = places_.find(path); found != places_.end()) return found->second;
            const std::size_t dot = path.rfind('.');
            path.resize(dot == std::string::npos ? 0 : dot);
        }
        return end_;
    }

    // The last line that has something in it.
    [[nodiscard]] static Place end_of(std::string_view text) {
        while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
        const auto breaks = std::count(text.begin(), text.end(), '\n');
        return {static_cast<std::uint32_t>(breaks) + 1, 1};
    }

    fs::path file_;
    Need need_;
    NamedFiles named_;
    Settings settings_;
    Place end_;
    Loaded loaded_;
    std::vector<Instance> instances_;
    std::map<std::string, Place, std::less<>> places_;
    std::set<std::string, std::less<>> malformed_;
};

}  // namespace

std::string Problem::text() const {
    std::string line_text = file;
    if (line != 0) line_text += ":" + std::to_string(line);
    if (line != 0 && column != 0) line_text += ":" + std::to_string(column);
    line_text += ": ";
    if (!key.empty()) line_text += key + ": ";
    line_text += message;
    if (!hint.empty()) line_text += " (" + hint + ")";
    return line_text;
}

Loaded load_text(std::string_view text, const fs::path& file, Need need) {
    return Loading(file, need, NamedFiles::looked_at).of_text(text);
}

Loaded load(const fs::path& file, Need need, NamedFiles named) {
    Loading loading(file, need, named);
    std::error_code error;
    const auto status = fs::status(file, error);
    const auto refuse = [&](std::string message, std::string hint) {
        loading.tell({}, "", std::move(message), std::move(hint));
        return loading.finish();
    };
    if (!fs::exists(status)) return refuse("there is no such file", "name the configuration with --config FILE");
    if (!fs::is_regular_file(status)) return refuse("is not a plain file", "");
    if (fs::file_size(file, error) > k_largest_file || error)
        return refuse("is larger than 1 MiB", "this cannot be a configuration");
    // Who may write it decides whom the connector believes.
    if (need == Need::run && (status.permissions() & fs::perms::others_write) != fs::perms::none)
        return refuse("may be written by everyone", "chmod o-w it");
    std::ifstream stream(file, std::ios::binary);
    if (!stream.is_open()) return refuse("cannot be read by this account", "");
    const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    if (stream.bad()) return refuse("cannot be read: the disk failed", "");
    return loading.of_text(text);
}

}  // namespace connector::config
