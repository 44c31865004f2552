// manual, completion: the manual's pages and the shell's completion, from the same tree as --help and from the same
// table as the configuration's manual, so that none of them can say something else.
#include "daemon/cli/manual_commands.hpp"
#include "config/table.hpp"

#include <boost/json/object.hpp>

#include <algorithm>
#include <vector>

namespace connector::cli {
namespace {

// ---- man(7) ---------------------------------------------------------------------------------------------------------

std::string roff(std::string_view text) {
    std::string safe;
    bool begins = true;
    for (const char c : text) {
        if (begins && (c == '.' || c == '\'')) safe += "\\&";
        begins = c == '\n';
        if (c == '\\')
            safe += "\\e";
        else if (c == '-')
            safe += "\\-";
        else
            safe += c;
    }
    return safe;
}

std::string title(std::string_view name, std::string_view section, std::string_view about) {
    // No date: two builds of one source give the same page.
    return ".TH \"" + roff(name) + "\" " + std::string(section) + " \"\" \"pfx\\-connector " CONNECTOR_VERSION "\"\n" +
           ".SH NAME\n" + roff(name) + " \\- " + roff(about) + "\n";
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
    std::vector<const CLI::App*> commands;
    for (const CLI::App* one : app.get_subcommands([](const CLI::App*) { return true; }))
        if (!one->get_name().empty() && !one->get_group().empty()) commands.push_back(one);
    return commands;
}

std::string option_names(const CLI::Option& option) {
    std::string names = option.get_name(false, true);
    std::replace(names.begin(), names.end(), ',', ' ');
    const bool takes = option.get_expected_max() != 0 && option.get_items_expected_max() != 0;
    return names + (takes && !option.get_positional() ? " " + option.get_type_name() : "");
}

void add_options(std::string& page, const CLI::App& app) {
    for (const CLI::Option* option : app.get_options())
        if (!option->get_group().empty())
            page += ".TP\n.B " + roff(option_names(*option)) + "\n" + roff(option->get_description()) + "\n";
}

void add_footer(std::string& page, const std::string& footer) {
    const auto begin = footer.find('\n');
    if (footer.rfind("Examples:", 0) != 0 || begin == std::string::npos) return;
    page += ".PP\nExamples:\n.PP\n.nf\n" + roff(footer.substr(begin + 1)) + "\n.fi\n";
}

void add_commands(std::string& page, const CLI::App& app, const std::string& above) {
    for (const CLI::App* command : commands_of(app)) {
        const std::string path = above + command->get_name();
        if (commands_of(*command).empty()) {
            page += ".SS " + roff(path) + "\n" + roff(command->get_description()) + "\n";
            add_options(page, *command);
            add_footer(page, command->get_footer());
        }
        add_commands(page, *command, path + " ");
    }
}

std::string program_page(const CLI::App& app) {
    std::string page = title("pfx-connector", "8", app.get_description());
    page += ".SH SYNOPSIS\n.B pfx\\-connector\n[\\fB\\-\\-config\\fR FILE] COMMAND [OPTION...]\n.SH OPTIONS\n";
    add_options(page, app);
    page += ".SH COMMANDS\n";
    add_commands(page, app, "");
    page +=
        ".SH EXIT STATUS\n.TP\n0\ndone\n.TP\n1\nfailed\n.TP\n2\nusage or configuration\n.TP\n3\na check found a "
        "fault\n.TP\n75\ntry again later\n"
        ".SH FILES\n.TP\n/etc/pfx\\-connector/connector.toml\nthe configuration, connector.toml(5)\n"
        ".TP\n/var/lib/pfx\\-connector/\nthe state: the database, the connector's certificate and key\n"
        ".TP\n/var/log/pfx\\-connector/\nthe log and the audit log\n"
        ".TP\n/run/pfx\\-connector/control.sock\nwhere the commands reach the daemon\n"
        ".SH SIGNALS\n.TP\nSIGHUP\nreads the configuration again, whole or not at all\n"
        ".TP\nSIGTERM, SIGINT\nfinishes what is in work and ends; a second one ends it at once\n"
        ".SH SEE ALSO\nconnector.toml(5), systemctl(1)\n";
    return page;
}

std::string configuration_page() {
    std::string page = title("connector.toml", "5", "the configuration of pfx-connector");
    page +=
        ".SH DESCRIPTION\n"
        "TOML. Relative paths are relative to the file. A secret is credential:NAME (a file of that name in\n"
        "$CREDENTIALS_DIRECTORY, systemd's LoadCredential=) or file:PATH of mode 0400 or 0600; its value never stands\n"
        "in the file.\n.B pfx\\-connector check\\-config\ntells every fault at once, with line and column.\n";
    for (const config::Section& section : config::sections()) {
        if (!section.built) continue;
        page += ".SH [" + roff(section.name) + "]\n" + roff(section.description) + "\n";
        for (const config::Key& key : config::keys()) {
            if (key.section != section.name || !key.built) continue;
            page += ".TP\n.B " + roff(key.name) + "\n" + roff(key.description) + "\n.br\n" +
                    roff(config::expected_form(key));
            const std::string_view otherwise = key.default_note.empty() ? key.default_value : key.default_note;
            if (!otherwise.empty()) page += "; default: " + roff(otherwise);
            if (!key.needed_by.empty()) page += "; needed by " + roff(key.needed_by);
            page += "\n";
        }
    }
    return page + ".SH SEE ALSO\npfx\\-connector(8)\n";
}

// ---- bash -----------------------------------------------------------------------------------------------------------

std::string words_of(const CLI::App& app, const CLI::App& top) {
    std::string words;
    const auto add = [&words](const std::string& word) { words += (words.empty() ? "" : " ") + word; };
    for (const CLI::App* command : commands_of(app)) add(command->get_name());
    for (const CLI::App* each :
         &app == &top ? std::vector<const CLI::App*>{&app} : std::vector<const CLI::App*>{&app, &top})
        for (const CLI::Option* option : each->get_options())
            for (const std::string& name : option->get_lnames()) add("--" + name);
    return words;
}

void add_cases(std::string& script, const CLI::App& app, const CLI::App& top, const std::string& path) {
    script += "        '" + path + "') words='" + words_of(app, top) + "' ;;\n";
    for (const CLI::App* command : commands_of(app)) add_cases(script, *command, top, path + " " + command->get_name());
}

void add_paths(std::string& paths, const CLI::App& app, const std::string& path) {
    for (const CLI::App* command : commands_of(app)) {
        const std::string inner = path + " " + command->get_name();
        paths += (paths.empty() ? "'" : " | '") + inner + "'";
        add_paths(paths, *command, inner);
    }
}

// What is not a word of ours is a file: the shell completes these itself.
std::string bash(const CLI::App& app) {
    std::string paths;
    add_paths(paths, app, "");
    std::string script =
        "# bash completion for pfx-connector; printed by `pfx-connector completion bash`\n"
        "_pfx_connector() {\n"
        "    local current=${COMP_WORDS[COMP_CWORD]} path='' words='' word\n"
        "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
        "        case \"$path $word\" in\n            " +
        paths +
        ") path=\"$path $word\" ;;\n        esac\n    done\n"
        "    case \"$path\" in\n";
    add_cases(script, app, app, "");
    return script +
           "    esac\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
           "}\n"
           "complete -o default -F _pfx_connector pfx-connector\n";
}

int print(const Invocation& call, std::string_view text) {
    if (!call.json) {
        call.terminal.lines(text);
        return k_done;
    }
    boost::json::object answer;
    answer["text"] = boost::json::string(text);
    call.terminal.json(answer);
    return k_done;
}

}  // namespace

void add_manual_commands(CLI::App& app, Chosen& chosen) {
    auto page = std::make_shared<std::string>();
    auto* manual = add_command(app, "manual", "a page of the manual, for man",
                               "pfx-connector manual pfx-connector | man -l -\npfx-connector manual connector.toml");
    manual->add_option("PAGE", *page, "pfx-connector or connector.toml")
        ->required()
        ->check(CLI::IsMember({"pfx-connector", "connector.toml"}));
    chosen.on(manual, [page, top = &app](const Invocation& call) {
        return print(call, *page == "connector.toml" ? configuration_page() : program_page(*top));
    });

    auto shell = std::make_shared<std::string>();
    auto* completion = add_command(app, "completion", "what a shell needs to complete commands and options",
                                   "pfx-connector completion bash > /etc/bash_completion.d/pfx-connector");
    completion->add_option("SHELL", *shell, "bash")->required()->check(CLI::IsMember({"bash"}));
    // `shell` is the option's place and lives as long as the action.
    chosen.on(completion, [shell, top = &app](const Invocation& call) { return print(call, bash(*top)); });
}

}  // namespace connector::cli
