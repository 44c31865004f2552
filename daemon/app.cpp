#include "daemon/app.hpp"

#include "core/crypto/certificate.hpp"
#include "core/crypto/openssl_crypto.hpp"
#include "core/crypto/secure_heap.hpp"
#include "core/crypto/self_test.hpp"
#include "core/engine/directory.hpp"
#include "core/engine/engine.hpp"
#include "core/engine/revocation.hpp"
#include "daemon/assembly.hpp"
#include "daemon/authority/caretaker.hpp"
#include "daemon/authority/roster.hpp"
#include "daemon/control/server.hpp"
#include "daemon/current.hpp"
#include "daemon/directory/ldap_connection.hpp"
#include "daemon/doctor/areas.hpp"
#include "daemon/ending.hpp"
#include "daemon/enrolment/renewal.hpp"
#include "daemon/health/history.hpp"
#include "daemon/health/telemetry.hpp"
#include "daemon/management/binding_statement.hpp"
#include "daemon/management/client.hpp"
#include "daemon/net/plain_http_client.hpp"
#include "daemon/notify/notifier.hpp"
#include "daemon/notify/server.hpp"
#include "daemon/own_certificates.hpp"
#include "daemon/parser/parser_process.hpp"
#include "daemon/pool_offload.hpp"
#include "daemon/reload.hpp"
#include "daemon/revocation/list_keeper.hpp"
#include "daemon/service/lockdown.hpp"
#include "daemon/service/manager.hpp"
#include "daemon/state_directory.hpp"
#include "daemon/storage_check.hpp"
#include "daemon/system_clock.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>

namespace connector::daemon {

namespace asio = boost::asio;
namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

constexpr int k_done = 0;
constexpr int k_failed = 1;
constexpr int k_misconfigured = 2;

int exit_code_of(const Error& error) {
    const bool theirs = error.kind == ErrorKind::misconfigured || error.kind == ErrorKind::invalid ||
                        error.kind == ErrorKind::conflict || error.kind == ErrorKind::unauthorized;
    return theirs ? k_misconfigured : k_failed;
}

// Before the log is open, or beside it: one line for whoever started us.
int cannot_start(const Error& error) {
    if (error.code == "alreadyRunning") {
        // The log belongs to the other one.
        LogOptions options;
        options.error_output = error_output_is_journal() ? ErrorOutput::journal : ErrorOutput::plain;
        options.now = [] { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); };
        if (auto log = LogSink::open(std::move(options))) {
            (*log)->raise(Event(event::k_second_instance).with("code", error.code).with("reason", error.message));
            return exit_code_of(error);
        }
    }
    std::cerr << "pfx-connector: cannot start: " << error.message << " (" << error.code << ")" << std::endl;
    return exit_code_of(error);
}

health::HealthOptions health_options(const config::Health& health) {
    health::HealthOptions options;
    const bool v6 = health.address.find(':') != std::string::npos;
    options.listen = (v6 ? "[" + health.address + "]" : health.address) + ":" + std::to_string(health.port);
    options.hosts = health.hosts;
    options.allow_remote = health.allow_remote;
    options.page = health.page != config::HealthPage::off;
    options.full_page = health.page == config::HealthPage::full;
    return options;
}

// The operator's two choices without a default, as they are shown to people: the service's word is a cross.
std::vector<health::Choice> choices_of(const config::Settings& settings) {
    const bool bound = settings.recipients.rules.binding != trust::Binding::service;
    const bool known = settings.policy.identity != trust::IdentitySource::service;
    return {{"recipients.binding", bound, bound ? "proved" : "the service's word is taken for whose device it is"},
            {"policy.identity", known, known ? "proved" : "the service's word is taken for who the user is"}};
}
json::array to_json(const std::vector<health::Choice>& choices) {
    json::array rows;
    for (const auto& choice : choices) {
        json::object row;
        row["name"] = choice.name;
        row["ok"] = choice.good;
        row["note"] = choice.note;
        rows.push_back(std::move(row));
    }
    return rows;
}

json::array to_json(const std::vector<health::Told>& told) {
    json::array rows;
    for (const auto& one : told) {
        json::object row;
        row["event"] = json::string(one.event->id);
        row["headline"] = json::string(one.event->headline);
        row["last"] = to_rfc3339(one.last);
        row["times"] = one.times;
        rows.push_back(std::move(row));
    }
    return rows;
}

// Requests go on without a list, so it says nothing of readiness.
void add_lists(health::HealthSnapshot& snapshot, const authority::Caretaker& caretaker) {
    using State = authority::Caretaker::List::State;
    if (caretaker.lists().empty()) return;
    health::HealthCheck check{"revocationLists", "ok", snapshot.started_at, "", false};
    for (const auto& [name, list] : caretaker.lists()) {
        if (list.state == State::good) continue;
        check.since = list.since;
        if (list.state == State::ended || check.status == "ok")
            check.status = list.state == State::ended ? "failed" : "degraded";
        check.detail +=
            (check.detail.empty() ? "" : "; ") + name +
            (list.last.next_update ? (list.state == State::ended ? ": ended " : ": cannot be renewed, ends ") +
                                         to_rfc3339(*list.last.next_update)
                                   : ": there is none");
    }
    if (check.status != "ok" && snapshot.status == "ready") snapshot.status = "degraded";
    snapshot.checks.push_back(std::move(check));
}

// `doctor` from outside cannot read what systemd gives to this unit alone.
ports::Async<json::value> look_at_secrets(std::shared_ptr<const config::Settings> settings, ports::Offload& offload,
                                          ports::Clock& clock, std::optional<std::string> authority) {
    auto job = [settings = std::move(settings), now = clock.utc(),
                authority = std::move(authority)]() -> Result<std::vector<doctor::Check>> {
        if (authority) return doctor::check_authority(*settings, *authority, now);
        return doctor::check_with_secrets(*settings, now);
    };
    auto looking = offload.run(std::move(job));
    const auto checks = co_await std::move(looking);
    json::object answer;
    if (checks) answer["checks"] = doctor::to_json(*checks);
    co_return json::value(std::move(answer));
}

// Off without [notify] smtp. What it is given it takes at once; everything else is its own thread's.
Result<std::unique_ptr<notify::Notifier>> start_notifier(const config::Settings& settings, Evidence& evidence) {
    const auto& notify = settings.notify;
    if (notify.smtp.empty() || notify.events.empty()) return std::unique_ptr<notify::Notifier>();
    auto server = notify::server_of(notify);
    if (!server) {
        evidence.raise(Event(event::k_key_unreadable).with("reason", server.error().message));
        return server.error();
    }
    notify::NotifyRules rules;
    rules.from = notify.from;
    rules.to = notify.to;
    rules.events = notify.events;
    rules.tell_users = notify.tell_users;
    rules.interval = notify.interval;
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) == 0) rules.host = host.data();
    auto send = [server = std::move(*server)](const notify::Letter& letter, const std::function<bool()>& give_up) {
        return notify::send(server, letter, give_up);
    };
    auto notifier = std::make_unique<notify::Notifier>(
        std::move(rules), std::move(send), [&evidence](const Event& event) { evidence.raise(event); },
        [] { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); });
    return notifier;
}

// Keeps the database's memory of the audit log's head close behind the log itself.
asio::awaitable<void> anchor_audit(StateDirectory& state, ports::Clock& clock, ports::Offload& offload,
                                   const bool& barred, const bool& ending) {
    std::uint64_t anchored = 0;
    while (!ending) {
        co_await clock.wait_until(clock.tick() + 1s);
        state.evidence->log().flush();
        state.evidence->audit().flush();
        if (state.evidence->audit().head().sequence == anchored) continue;
        auto job = [&audit = state.evidence->audit()] { return audit.sync(); };
        auto syncing = offload.run(std::move(job));
        const auto head = co_await std::move(syncing);
        if (!head) continue;
        // A restored copy keeps its old memory of the log until a person has accepted it.
        if (barred) continue;
        anchored = head->sequence;
        state.ledger->set_audit_anchor({head->sequence, head->link});
    }
}

// How long the end may take beyond the drain: saving, joining the threads.
constexpr std::chrono::seconds k_after_drain{10};

// "ready; 3 open, 1 held; authorities: 1 of 2 down": for the service manager.
std::string one_line(const health::HealthSnapshot& now) {
    std::uint64_t open = 0;
    for (const auto& [stage, number] : now.queue) open += number;
    std::string text = now.status == "notReady" ? std::string("not ready") : now.status;
    text += "; " + std::to_string(open) + " open";
    if (now.held != 0) text += ", " + std::to_string(now.held) + " held";
    for (const auto& check : now.checks)
        if (check.status != "ok")
            text += "; " + check.name + ": " + (check.detail.empty() ? check.status : check.detail);
    return text;
}

json::object to_json(const service::Lockdown& lockdown) {
    json::object row;
    row["complete"] = lockdown.complete();
    row["text"] = lockdown.text();
    return row;
}

// What a reload exchanges and is behind no port.
struct InForce {
    std::shared_ptr<const config::Settings> settings;
    std::vector<OwnCertificate> own;
    control::AuthorityTables authorities;
    UtcTime read_at;
    Sha256 certificate;  // the connector's
};

void tell_what_is_taken(const Assembly& made, ports::EventSink& events) {
    const auto& settings = *made.settings;
    if (settings.delivery.certificate.empty()) events.raise(Event(event::k_delivery_certificate_missing));
    for (const auto& key : made.import_keys->loaded())
        events.raise(Event(event::k_import_keys_loaded)
                         .with("table", key.table)
                         .with("provider", key.provider_name)
                         .with("key_name", key.key_name)
                         .with("key", key.key.spki_sha256().hex()));
    for (const auto& choice : choices_of(settings))
        if (!choice.good)
            events.raise(Event(event::k_service_word_taken).with("choice", choice.name).with("note", choice.note));
}

}  // namespace

int run_daemon(const config::Settings& settings, const RunOptions& options) {
    if (const auto fit = crypto::self_test(); !fit) return cannot_start(fit.error().in("cryptographic self test"));
    const auto manager = service::find_manager();
    const auto lockdown = service::lock_down(settings);
    Ending process_end;  // outlives all that may hang
    auto opened = open_state(settings, LogTo::everywhere, options.accept_restore);
    if (!opened) return cannot_start(opened.error());
    StateDirectory state = std::move(*opened);
    Evidence& evidence = *state.evidence;
    const auto refuse = [&](const Error& error) {
        evidence.raise(Event(event::k_start_failed).with("code", error.code).with("reason", error.message));
        return exit_code_of(error);
    };

    evidence.raise(Event(event::k_locked_down).with("active", lockdown.text()));
    auto notifier = start_notifier(settings, evidence);
    if (!notifier) return refuse(notifier.error());
    health::RecentEvents recent;
    evidence.also_to([&recent, mail = notifier->get()](const Event& event) {
        recent.note(event, std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
        if (mail != nullptr) mail->note(event);
    });
    // The evidence outlives them, and other threads raise events to the end.
    const std::unique_ptr<Evidence, void (*)(Evidence*)> until_the_end(&evidence,
                                                                       [](Evidence* all) { all->also_to({}); });
    const auto& kinds = settings.connector.kinds;
    const bool asks_directory = settings.recipients.rules.binding == trust::Binding::directory ||
                                settings.policy.identity == trust::IdentitySource::directory;
    if (asks_directory)
        if (auto prepared = directory::prepare_process(settings.directory); !prepared) return refuse(prepared.error());

    // What a coroutine's frame may still touch when the context goes must be older than it.
    asio::io_context io(1);
    const auto executor = io.get_executor();
    SystemClock clock(executor);
    const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
    PoolOffload offload(settings.connector.crypto_threads == 0 ? cores : settings.connector.crypto_threads);
    // A directory that is slow holds up only those who ask it.
    constexpr std::size_t k_directory_threads = 4;
    PoolOffload directory_offload(asks_directory ? k_directory_threads : 1, "cc-directory");
    PoolOffload storage_offload(1, "cc-storage");
    const crypto::OpenSslCrypto crypto;
    net::SystemResolver resolver;
    const parser::ParserProcess parsers;
    const Surroundings surroundings{offload, directory_offload, clock, resolver, crypto, evidence};
    auto made = assemble(std::make_shared<const config::Settings>(settings), surroundings);
    if (!made) return refuse(made.error());
    tell_what_is_taken(*made, evidence);
    if (std::find(kinds.begin(), kinds.end(), request::Kind::pfx_deliver) != kinds.end())
        if (auto ready = parsers.start(); !ready) return refuse(ready.error());
    const ConnectorId connector_id = *made->connector;
    InForce in_force{made->settings, std::move(made->own), settings.authorities, clock.utc(), made->certificate_sha256};
    authority::Roster roster;
    roster.use(std::move(made->authorities));
    CurrentKeys import_keys(made->import_keys);
    CurrentPackager packager(made->packager);
    CurrentDirectory ldap(made->directory);
    health::Metrics metrics(CONNECTOR_VERSION, clock.utc());
    health::MetricsTelemetry telemetry(metrics);

    net::TlsHttpClient http(clock, resolver, std::move(made->tls), std::move(made->proxy),
                            std::string("pfx-connector/") + CONNECTOR_VERSION);
    management::ClientOptions client_options;
    client_options.base = made->service;
    client_options.connector = connector_id;
    client_options.timeout = settings.management.request_timeout;
    client_options.inspect = [](ByteView der) { return crypto::inspect(der); };
    client_options.sha256 = [&crypto](ByteView octets) { return crypto.sha256(octets); };
    client_options.observe = [&telemetry](std::string_view call, std::string_view code) {
        telemetry.management_request(call, code);
    };
    management::ManagementClient management(http, clock, std::move(client_options));

    engine::Ports ports{clock,      offload,    crypto,        parsers,  import_keys, *state.sealer,    packager,
                        management, management, *state.ledger, evidence, telemetry,   roster.in_force()};
    ports.directory = made->directory ? &ldap : nullptr;
    net::PlainHttpClient plain_http(clock, resolver, std::string("pfx-connector/") + CONNECTOR_VERSION);
    std::unique_ptr<revocation::ListKeeper> lists;
    if (settings.recipients.asks_lists()) {
        revocation::ListKeeper::Places places;
        places.files = settings.recipients.crl_files;
        for (const auto& text : settings.recipients.crl_urls) {
            auto url = net::parse_plain_url(text);
            if (!url) return refuse(url.error().in("[recipients] crl_urls"));
            places.urls.push_back(std::move(*url));
        }
        lists = std::make_unique<revocation::ListKeeper>(std::move(places), made->rules.recipients.issuers, plain_http,
                                                         clock, offload, evidence);
    }
    ports.revocation = lists.get();
    const management::WireStatementReader statements;
    ports.statements = &statements;
    engine::Engine engine(executor, std::move(ports), std::move(made->rules));
    engine.context().status.certificate_expires_at = made->certificate_expires;
    if (!state.restored.empty()) {
        evidence.raise(Event(options.accept_restore ? event::k_restore_accepted : event::k_storage_restored)
                           .with("reason", state.restored));
        if (!options.accept_restore) engine.context().bar_ledger("storageRestored");
    }
    StorageCheck storage_check(engine, *state.ledger, storage_offload, settings.storage.directory,
                               state.suspect && !engine.context().status.ledger_barred);

    authority::Caretaker caretaker(roster.places(), clock, evidence);

    std::vector<health::Ended> throughput;
    const auto snapshot = [&] {
        auto now = health::snapshot_of(engine.context());
        now.choices = choices_of(*in_force.settings);
        add_lists(now, caretaker);
        storage_check.add_to(now);
        now.history = throughput;
        now.told = recent.newest();
        return now;
    };
    const auto names = [&] { return health::names_of(*state.ledger, clock.utc()); };
    health::HealthServer health_server(executor, clock, metrics, snapshot, names, health_options(settings.health));
    health_server.use(std::move(made->health));
    std::function<void()> reload_asked;  // once there is somebody who reloads
    const auto end = [&] {
        manager->stopping(settings.connector.drain + k_after_drain);
        process_end.begin();
        engine.drain(settings.connector.drain);
    };
    control::Operations operations(
        control::Operations::Parts{*state.ledger, evidence, clock, crypto, &engine.context(),
                                   [&] {
                                       json::object status = json::parse(health::to_json(snapshot())).as_object();
                                       status["pid"] = ::getpid();
                                       status["choices"] = to_json(choices_of(*in_force.settings));
                                       status["configurationReadAt"] = to_rfc3339(in_force.read_at);
                                       status["lockdown"] = to_json(lockdown);
                                       status["lastErrors"] = to_json(recent.newest());
                                       return status;
                                   },
                                   [&evidence] { return control::anchor_json(evidence.audit().head()); },
                                   [&](std::optional<std::string> authority) {
                                       return look_at_secrets(in_force.settings, offload, clock, std::move(authority));
                                   },
                                   &in_force.authorities, settings.limits, settings.control.approvers,
                                   [&reload_asked] {
                                       if (reload_asked) reload_asked();
                                   },
                                   end});
    control::Server control_server(executor, clock, evidence, std::move(operations));
    if (auto listening = control_server.start(settings.control.socket, settings.control.group); !listening)
        return refuse(listening.error());
    if (!settings.health.address.empty())
        if (auto listening = health_server.start(); !listening)
            evidence.raise(Event(event::k_health_not_listening).with("reason", listening.error().message));
    if (crypto::protect_memory().secure_heap != crypto::SecureHeapState::locked)
        evidence.raise(Event(event::k_secret_memory_not_locked));

    const auto use = [&](Assembly fresh) {
        http.use(std::move(fresh.tls), std::move(fresh.proxy));
        import_keys.use(fresh.import_keys);
        packager.use(fresh.packager);
        if (fresh.directory) ldap.use(std::move(fresh.directory));
        health_server.use(std::move(fresh.health));
        tell_what_is_taken(fresh, evidence);
        roster.use(std::move(fresh.authorities));
        engine.context().use(std::move(fresh.rules), roster.in_force());
        engine.context().status.certificate_expires_at = fresh.certificate_expires;
        evidence.log().set_level(severity_of(fresh.settings->log.level));
        // With another certificate the service may answer otherwise: it is asked at once.
        engine.context().state_changed.call();
        in_force = {fresh.settings, std::move(fresh.own), fresh.settings->authorities, clock.utc(),
                    fresh.certificate_sha256};
    };
    const auto state_line = [&] { return one_line(snapshot()); };
    Reload reload(executor, {surroundings, parsers, lockdown, *manager, evidence.log(), connector_id,
                             [&in_force] { return in_force.settings; },
                             [&engine] { return engine.context().ports.directory != nullptr; }, state_line, use});

    reload_asked = [&reload] { reload.ask_for_files(); };
    enrolment::Renewal renewal(
        {offload, clock, resolver, evidence, http, connector_id, [&in_force] { return in_force.settings; },
         [&engine] {
             ports::Heartbeat beat;
             beat.version = CONNECTOR_VERSION;
             beat.started_at = engine.context().status.started_at;
             beat.state = engine.context().state();
             return beat;
         },
         [&in_force] { return in_force.certificate; },
         [&engine] { return engine.context().status.service.state == engine::Check::State::up; }, reload_asked});

    process_end.listen(executor, {end, [&reload] { reload.ask(); }}, settings.connector.drain, [&evidence] {
        evidence.raise(Event(event::k_stopped));
        (void)evidence.audit().sync();
    });
    bool ending = false;
    const auto rethrow = [](std::exception_ptr fault) {
        if (fault) std::rethrow_exception(fault);
    };
    if (state.ended_unclean || state.suspect) {
        auto checking = storage_check.run(ending);
        asio::co_spawn(executor, std::move(checking), rethrow);
    }
    auto anchoring = anchor_audit(state, clock, offload, engine.context().status.ledger_barred, ending);
    asio::co_spawn(executor, std::move(anchoring), rethrow);
    auto keeping = caretaker.run(ending);
    asio::co_spawn(executor, std::move(keeping), rethrow);
    auto watching = watch_certificates(in_force.own, clock, evidence, ending);
    asio::co_spawn(executor, std::move(watching), rethrow);
    auto renewing = renewal.run(ending);
    asio::co_spawn(executor, std::move(renewing), rethrow);
    auto reloading = reload.run(ending);
    asio::co_spawn(executor, std::move(reloading), rethrow);
    auto attending = service::attend(*manager, clock, state_line, ending);
    asio::co_spawn(executor, std::move(attending), rethrow);
    auto asking = engine::watch_directory(engine.context(), ending);
    asio::co_spawn(executor, std::move(asking), rethrow);
    auto listing = engine::watch_revocation(engine.context(), ending);
    asio::co_spawn(executor, std::move(listing), rethrow);
    auto gauging = [](engine::Engine& the_engine, health::Metrics& the_metrics, ports::Clock& the_clock,
                      const bool& over) -> asio::awaitable<void> {
        while (!over) {
            health::set_gauges(the_metrics, the_engine.context());
            co_await the_clock.wait_until(the_clock.tick() + 1s);
        }
    };
    auto gauges = gauging(engine, metrics, clock, ending);
    auto remembering = health::keep_throughput(*state.ledger, clock, throughput, ending);
    asio::co_spawn(executor, std::move(remembering), rethrow);
    asio::co_spawn(executor, std::move(gauges), rethrow);
    auto working = [](engine::Engine& the_engine, control::Server& the_control, health::HealthServer& the_health,
                      net::TlsHttpClient& the_http, bool& over) -> asio::awaitable<void> {
        auto running = the_engine.run();
        co_await std::move(running);
        auto closing = the_control.stop();
        co_await std::move(closing);
        the_health.stop();
        the_http.close_idle();
        over = true;
    };
    auto work = working(engine, control_server, health_server, http, ending);
    asio::co_spawn(executor, std::move(work), rethrow);
    evidence.raise(Event(event::k_storage_opened).with("open", state.open_requests));
    evidence.raise(Event(event::k_started).with("version", CONNECTOR_VERSION).with("connector", connector_id.text()));

    (void)::pthread_setname_np(::pthread_self(), "cc-io");
    try {
        io.run();
    } catch (const std::exception& fault) {
        evidence.raise(Event(event::k_internal_fault).with("reason", fault.what()));
        // What is under way is found again in the ledger; frames that are half done are not worth taking down.
        std::_Exit(k_failed);
    }
    process_end.forget_farewell();
    evidence.raise(Event(event::k_stopped));
    const auto head = evidence.audit().sync();
    if (head && !engine.context().status.ledger_barred) state.ledger->set_audit_anchor({head->sequence, head->link});
    return k_done;
}

}  // namespace connector::daemon
