// SPDX-License-Identifier: Apache-2.0
#include "control/option_table.h"

#include <array>

namespace leat::control {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kPathMax = 4'096;   // PATH_MAX of Linux
constexpr std::int64_t kNameMax = 128;     // of keys and providers: they become metric labels
constexpr std::int64_t kModelIdMax = 256;  // the longest public ids have about 100 bytes
constexpr Reload kFixed = Reload::kFixed;
constexpr Reload kLive = Reload::kLive;

constexpr std::array<Setting<RootKeys>, 16> kRoot{{
    {"server", OwnForm{"table", ""}, 0, 0, kFixed, "Listeners and shards."},
    {"admin", OwnForm{"table", ""}, 0, 0, kFixed, "Health, metrics and management."},
    {"accounts", OwnForm{"table", ""}, 0, 0, kFixed, "Keys that are made while Leat runs."},
    {"auth", OwnForm{"table", ""}, 0, 0, kLive, "Who may ask."},
    {"keys", OwnForm{"array of tables", ""}, 0, 0, kLive, "Client keys."},
    {"providers", OwnForm{"tables by name", ""}, 0, 0, kLive, "Who answers."},
    {"models", OwnForm{"array of tables", ""}, 0, 0, kLive, "What may be asked for."},
    {"aliases", OwnForm{"table: name = model", ""}, 0, 0, kLive, "Other names of models."},
    {"catalogue", OwnForm{"array of paths", ""}, 0, 0, kLive,
     "Files with more `[providers.NAME]`, `[[models]]` and `[aliases]`, as `leat catalogue import` "
     "writes them."},
    {"routing", OwnForm{"table", ""}, 0, 0, kLive, "How endpoints are chosen."},
    {"hold", OwnForm{"table", ""}, 0, 0, kLive, "How long events of streams may wait for others."},
    {"ledger", OwnForm{"table", ""}, 0, 0, kFixed, "Where what was used is written down."},
    {"log", OwnForm{"table", ""}, 0, 0, kFixed, "A line for each request."},
    {"content_log", OwnForm{"table", ""}, 0, 0, kLive,
     "What requests of certain keys say and are answered."},
    {"trace", OwnForm{"table", ""}, 0, 0, kFixed, "Spans of requests, for OpenTelemetry."},
    {"limits", OwnForm{"table", ""}, 0, 0, kLive, "Bounds."},
}};

constexpr std::array<Setting<ServerOptions>, 13> kServer{{
    {"listen", OwnForm{"array of 1 to 64 listeners", "[\"127.0.0.1:8080\"]"}, 0, 0, kFixed,
     "Where clients connect: `\"IP:PORT\"`, `\"[IPv6]:PORT\"` or `\"tls://IP:PORT\"`; port 0 lets "
     "the "
     "kernel choose. A table `{ address = \"...\", half_close = \"allow\" }` says more."},
    {"shards", &ServerOptions::shards, 0, 256, kFixed,
     "Threads that serve; 0 = one per core this process may run on."},
    {"pin", OwnForm{"array of core numbers, 0 to 1023", "[]"}, 0, 0, kFixed,
     "A core for each shard, all different; empty: the kernel places them."},
    {"steering", OwnForm{"\"auto\", \"core\" or \"hash\"", "\"auto\""}, 0, 0, kFixed,
     "Which shard gets a new connection. `core`: that of the core which took its first packet; "
     "needs `pin`. `hash`: any, all alike. `auto`: `core` where the network cards' interrupts go "
     "to the pinned cores and to no other, else `hash` (docs/bare-metal.md)."},
    {"huge_pages", OwnForm{"\"auto\", \"on\" or \"off\"", "\"auto\""}, 0, 0, kFixed,
     "Pages of 2 MiB in place of 4 KiB. `auto`: for what the rings receive into, if the kernel "
     "gives them. `on`: reserved ones (`vm.nr_hugepages`) as far as they go, and for all other "
     "memory too, which then takes more of it. `off`: none."},
    {"napi_busy_poll_us", &ServerOptions::napi_busy_poll_us, 0, 10'000, kFixed,
     "How many microseconds an idle shard asks the network cards for packets before it sleeps: "
     "less latency, and the whole of its core. 0: it sleeps at once."},
    {"drain_grace_ms", &ServerOptions::drain_grace_ms, 0, kDayMs, kFixed,
     "After SIGTERM: how long running requests may still take."},
    {"takeover_socket", &ServerOptions::takeover_socket, 0, kPathMax, kFixed,
     "Path of a Unix socket by which a new process, started with the same path, takes over from "
     "this one: clients notice nothing. `\"\"`: a new process waits for its ports.",
     "none"},
    {"half_close", OwnForm{"\"close\" or \"allow\"", "\"close\""}, 0, 0, kFixed,
     "For listeners that do not say: whether a client's FIN after its request means that it is "
     "gone "
     "(`close`, its upstream ends at once) or only that it will not send more (`allow`)."},
    {"hardening", OwnForm{"\"try\" or \"require\"", "\"try\""}, 0, 0, kFixed,
     "Whether a layer of hardening that this machine does not give (locked memory, sandbox, "
     "allowed "
     "operations of the rings) is said at start (`try`) or keeps Leat from starting (`require`)."},
    {"http2", &ServerOptions::http2, 0, 0, kFixed,
     "Whether clients may speak HTTP/2: over TLS where they offer it by ALPN, without it by prior "
     "knowledge from loopback addresses. HTTP/1.1 is served either way."},
    {"own_tls_records", &ServerOptions::own_tls_records, 0, 0, kFixed,
     "Whether Leat reads and writes the records of TLS 1.3 itself once a handshake is done, "
     "towards "
     "clients and providers: less time for each, less memory for each connection. `false` leaves "
     "them to the TLS library, as those of TLS 1.2 are."},
    {"tls", OwnForm{"table", "none"}, 0, 0, kLive, "Certificate for `tls://` listeners."},
}};

constexpr std::array<Setting<ServerOptions>, 2> kServerTls{{
    {"certificate", &ServerOptions::tls_certificate, 1, kPathMax, kLive,
     "PEM file: the chain, our certificate first. Needed by a `tls://` listener.", "none"},
    {"key", &ServerOptions::tls_key, 1, kPathMax, kLive,
     "PEM file: its private key, not encrypted. Needed by a `tls://` listener.", "none"},
}};

constexpr std::array<Setting<Listener>, 2> kListener{{
    {"address", OwnForm{"text", "required"}, 0, 0, kFixed, "As a plain listener is written."},
    {"half_close", OwnForm{"\"close\" or \"allow\"", "server.half_close"}, 0, 0, kFixed,
     "As `server.half_close`, for this listener."},
}};

constexpr std::array<Setting<AdminOptions>, 3> kAdmin{{
    {"listen", OwnForm{"text", "\"127.0.0.1:8081\""}, 0, 0, kFixed,
     "Loopback address of `/healthz`, `/readyz`, `/metrics` and of the management API; `\"\"` "
     "switches it off."},
    {"operator_key", OwnForm{"secret source", "none"}, 0, 0, kFixed,
     "Who shows it as `Authorization: Bearer` may do all that the management API can; 32 or more "
     "characters."},
    {"socket", &AdminOptions::socket, 0, kPathMax, kFixed,
     "Path of a Unix socket with the same, for `leat keys` and the like: who may open the "
     "file, which is its owner, is the operator. `\"\"`: there is none.",
     "none"},
}};

constexpr std::array<Setting<AccountSettings>, 4> kAccounts{{
    {"store_file", &AccountSettings::store_file, 0, kPathMax, kFixed,
     "SQLite file with organisations, workspaces, keys and grants; made if it is not there. "
     "`\"\"`: keys are those of `[[keys]]` only.",
     "none"},
    {"master_key", OwnForm{"secret source", "none"}, 0, 0, kFixed,
     "64 hex digits, as `openssl rand -hex 32` makes them: seals the provider keys that workspaces "
     "bring. Without it none can be brought."},
    {"byok_fee_ppm", &AccountSettings::byok_fee_ppm, 0, 1'000'000, kFixed,
     "What a request on a provider key of its workspace's own is charged, in millionths of list "
     "prices; 50000 is 5 %."},
    {"provider_keys_in_requests", &AccountSettings::provider_keys_in_requests, 0, 0, kLive,
     "Whether a client may send provider keys of its own with a request, as the header "
     "`X-Provider-API-Keys`: it then pays them itself, and prompts go to its account, which may be "
     "one that the operator does not know. `false`: such a request is refused."},
}};

constexpr std::array<Setting<AuthKeys>, 1> kAuth{{
    {"mode", OwnForm{"\"keys\" or \"off\"", "\"keys\""}, 0, 0, kLive,
     "`keys`: a request needs a key of `[[keys]]`. `off`: anyone may ask; loopback listeners "
     "only."},
}};

constexpr std::array<Setting<ClientKey>, 7> kKey{{
    {"name", &ClientKey::name, 1, kNameMax, kLive,
     "Unique; stands for the key in logs and metrics. Letters, digits, `-`, `_` and `.`.", "-"},
    {"sha256", OwnForm{"text: 64 hex digits", "none"}, 0, 0, kLive,
     "SHA-256 of the key's text. This or `secret`."},
    {"secret", OwnForm{"secret source", "none"}, 0, 0, kLive,
     "Where the key itself is read from; only its digest is kept. This or `sha256`."},
    {"routing", OwnForm{"table", "none"}, 0, 0, kLive,
     "Where its requests may go at most. A request narrows that, and never widens it."},
    {"limits", OwnForm{"table", "none"}, 0, 0, kLive,
     "How much it may use, of all shards together (docs/limits.md)."},
    {"hold_ms_max", &ClientKey::hold_ms_max, 0, HoldOptions::kMsMax, kLive,
     "The longest that an event of its streams waits (`[hold]`), if the model's is not less."},
    {"log_content", &ClientKey::log_content, 0, 0, kLive,
     "Whether what its requests say and are answered goes to the files of `[content_log]`."},
}};

// Far above what anyone serves, and well within what admission counts with.
constexpr std::int64_t kRateMax = 1'000'000'000;
constexpr std::int64_t kTokensMax = 1'000'000'000'000'000;

constexpr std::array<Setting<KeyLimits>, 8> kKeyLimits{{
    {"requests_per_minute_max", &KeyLimits::requests_per_minute_max, 0, kRateMax, kLive,
     "Requests in any 60 s. Above: 429 with `retry-after`.", "none"},
    {"tokens_per_minute_max", &KeyLimits::tokens_per_minute_max, 0, kTokensMax, kLive,
     "Tokens of prompts and answers in 60 s. A request counts with what it may come to at most "
     "until it ends. Above: 429.",
     "none"},
    {"tokens_per_day_max", &KeyLimits::tokens_per_day_max, 0, kTokensMax, kLive,
     "The same from midnight to midnight, UTC. Above: 429.", "none"},
    {"concurrency_max", &KeyLimits::concurrency_max, 0, kRateMax, kLive,
     "Requests that run at once. Above: 429.", "none"},
    {"budget_usd_max", OwnForm{"text: dollars, or a whole number of them", "none"}, 0, 0, kLive,
     "Dollars that it may spend in a `budget_period`, to the nano-dollar. Models without a price "
     "are then refused. Above: 402."},
    {"budget_period", OwnForm{"\"none\", \"daily\", \"weekly\" or \"monthly\"", "\"none\""}, 0, 0,
     kLive,
     "When the budget begins anew: at midnight UTC, of Mondays, of the first of a month, or "
     "never."},
    {"output_default_max", &KeyLimits::output_default_max, 0, 1'000'000, kLive,
     "Tokens of an answer to a request that states no cap; sent to the provider. 0: the model's."},
    {"markup_percent", OwnForm{"text: percent, or a whole number of them", "0"}, 0, 0, kLive,
     "Added to the providers' prices, -100 to 900; negative: a discount. Four decimals at most."},
}};

constexpr std::array<Setting<KeyRouting>, 5> kKeyRouting{{
    {"only", OwnForm{"array of text", "any"}, 0, 0, kLive,
     "The endpoints that are allowed: slugs of providers, or full slugs of endpoints, as "
     "`provider.only` of a request has them. Each must be known."},
    {"ignore", OwnForm{"array of text", "[]"}, 0, 0, kLive, "The ones that are not. The same."},
    {"regions", OwnForm{"array of text", "any"}, 0, 0, kLive,
     "Where an endpoint may stand; those of unknown region are out. Each must be the `region` of "
     "some endpoint."},
    {"zdr", &KeyRouting::zdr, 0, 0, kLive, "Whether only endpoints that keep nothing are allowed."},
    {"data_collection", OwnForm{"\"allow\" or \"deny\"", "\"allow\""}, 0, 0, kLive,
     "`deny`: no endpoint that trains on prompts or publishes them."},
}};

constexpr std::array<Setting<SecretSource>, 3> kSecret{{
    {"env", OwnForm{"text", "none"}, 0, 0, kLive,
     "Name of an environment variable. This or `file`."},
    {"file", OwnForm{"text", "none"}, 0, 0, kLive,
     "Path of a file; one newline at its end is dropped. This or `env`."},
    {"credential", OwnForm{"text", "none"}, 0, 0, kLive,
     "Name of a file in the folder that the service manager made for this service: what the unit "
     "has `LoadCredential=NAME:PATH` for. This or one of the above."},
}};

constexpr std::array<Setting<Provider>, 18> kProvider{{
    {"format", OwnForm{"\"openai\" or \"simulated\"", "\"openai\""}, 0, 0, kLive,
     "Dialect it speaks. `simulated` is built in, answers from the prompt and needs no network."},
    {"base_url", OwnForm{"text", "required, unless simulated"}, 0, 0, kLive,
     "`https://HOST[:PORT][/PREFIX]`; `/chat/completions` and the like are appended. `http://` "
     "needs `allow_private`. No user, query or fragment."},
    {"protocol", OwnForm{"\"http1\", \"http2\" or \"auto\"", "\"http1\""}, 0, 0, kLive,
     "What is spoken with it. `http2`: many requests share a few connections. `auto`: whichever "
     "the "
     "TLS handshake agrees on."},
    {"delayed_acks", OwnForm{"\"off\", \"auto\" or \"on\"", "\"off\""}, 0, 0, kLive,
     "Whether its events are acknowledged two at a time, over HTTP/1.1. `on`: a provider that "
     "waits for acknowledgements (Nagle's algorithm) is then late by 40 ms. `auto`: a few streams "
     "find out."},
    {"display_name", &Provider::display_name, 1, kNameMax, kLive,
     "`provider` in answers of `/api/v1`.", "the name"},
    {"ca_file", &Provider::ca_file, 1, kPathMax, kLive,
     "PEM bundle of the authorities that may vouch for it.", "the system's"},
    {"api_key", OwnForm{"secret source", "none"}, 0, 0, kLive,
     "Sent as `Authorization: Bearer`. This or "
     "`api_keys`."},
    {"api_keys", OwnForm{"array of 1 to 64 secret sources", "none"}, 0, 0, kLive,
     "Several keys of it, all different: each attempt takes the one that has most left of its "
     "limits. This or `api_key`."},
    {"allow_private", &Provider::allow_private, 0, 0, kLive,
     "Whether loopback, private and link-local addresses may be connected to."},
    {"connections_max", &Provider::connections_max, 1, 1'000'000, kLive,
     "Connections to it, a shard; above: the next endpoint, else 503."},
    {"idle_connections_max", &Provider::idle_connections_max, 0, 1'000'000, kLive,
     "Connections kept for reuse, a shard."},
    {"warm_connections", &Provider::warm_connections, 0, 10'000, kLive,
     "Connections opened before anyone asks, a shard; 0: as many as were lately in use at once."},
    {"idle_ms_max", &Provider::idle_ms_max, 1, kDayMs, kLive,
     "How long a connection is kept unused; choose less than the provider does.",
     "limits.upstream_idle_ms_max"},
    {"dns_ms_max", &Provider::dns_ms_max, 1, kDayMs, kLive, "Resolving its name.",
     "limits.dns_ms_max"},
    {"connect_ms_max", &Provider::connect_ms_max, 1, kDayMs, kLive, "Connecting to one address.",
     "limits.connect_ms_max"},
    {"tls_handshake_ms_max", &Provider::tls_handshake_ms_max, 1, kDayMs, kLive,
     "TLS handshake with it.", "limits.upstream_tls_handshake_ms_max"},
    {"retry_ambiguous", &Provider::retry_ambiguous, 0, 0, kLive,
     "Whether a request that was sent and got no reply may go to the next endpoint."},
    {"simulated", OwnForm{"table", "its own defaults"}, 0, 0, kLive,
     "How it behaves, with `format = \"simulated\"`."},
}};

constexpr std::array<Setting<SimulatedOptions>, 8> kSimulated{{
    {"tokens_per_second", &SimulatedOptions::tokens_per_second, 0, 1'000'000, kLive,
     "Speed of a stream; 0 = as fast as it can."},
    {"first_token_ms", &SimulatedOptions::first_token_ms, 0, 600'000, kLive,
     "Time to the first token."},
    {"tokens", &SimulatedOptions::tokens, 1, 1'000'000, kLive,
     "Length of an answer; a smaller `max_tokens` of the request goes before."},
    {"events_per_write", &SimulatedOptions::events_per_write, 1, 1'024, kLive,
     "Stream events sent in one piece."},
    {"error_percent", &SimulatedOptions::error_percent, 0, 100, kLive,
     "Requests answered with `error_status`."},
    {"error_status", &SimulatedOptions::error_status, 400, 599, kLive, "The status of those."},
    {"cut_percent", &SimulatedOptions::cut_percent, 0, 100, kLive,
     "Streams that stop in the middle."},
    {"stall_percent", &SimulatedOptions::stall_percent, 0, 100, kLive,
     "Requests that are never answered."},
}};

constexpr std::array<Setting<Model>, 12> kModel{{
    {"id", &Model::id, 1, kModelIdMax, kLive,
     "What clients ask for. `\"prefix/*\"` takes every id with that prefix that has no entry of "
     "its "
     "own; the longest prefix wins.",
     "-"},
    {"name", &Model::name, 1, kModelIdMax, kLive, "For people.", "the id"},
    {"endpoints", OwnForm{"array of 1 to 16 tables", "those of the catalogue's model of that id"},
     0, 0, kLive,
     "Who serves it: tried in this order, unless they have prices. A model that a file of "
     "`catalogue` has may stand here without them, to set its times and `continuation`."},
    {"created_unix_s", &Model::created_unix_s, 0, 253'402'300'799, kLive,
     "`created` in `GET /v1/models`."},
    {"context_tokens", &Model::context_tokens, 0, 1'000'000'000, kLive,
     "Length of its context; 0 = not known."},
    {"first_byte_ms_min", &Model::first_byte_ms_min, 1, kDayMs, kLive,
     "As the limit of that name, for this model; equal to `first_byte_ms_max`: a fixed limit.",
     "limits.first_byte_ms_min, or first_byte_ms_max where that is less"},
    {"first_byte_ms_max", &Model::first_byte_ms_max, 1, kDayMs, kLive,
     "As the limit of that name, for this model.", "limits.first_byte_ms_max"},
    {"chunk_gap_ms_max", &Model::chunk_gap_ms_max, 1, kDayMs, kLive,
     "As the limit of that name, for this model.", "limits.chunk_gap_ms_max"},
    {"request_ms_max", &Model::request_ms_max, 1, kDayMs, kLive,
     "As the limit of that name, for this model.", "limits.request_ms_max"},
    {"hedge", &Model::hedge, 0, 0, kLive, "As in `[routing]`, for this model.", "routing.hedge"},
    {"continuation", &Model::continuation, 0, 0, kLive,
     "Whether a stream that breaks after its first content may be carried on, from the text so "
     "far, by another endpoint that is known to continue a text (`quirks`)."},
    {"hold_ms_max", &Model::hold_ms_max, 0, HoldOptions::kMsMax, kLive,
     "As `hold.ms_max`, for streams of this model.", "hold.ms_max"},
}};

constexpr std::array<Setting<Endpoint>, 2> kEndpoint{{
    {"provider", OwnForm{"text", "required"}, 0, 0, kLive, "Name of a table under `[providers]`."},
    {"model", &Endpoint::model, 1, kModelIdMax, kLive,
     "The provider's own name for the model; `\"*\"`: what the star of the id stood for.", "-"},
}};

constexpr std::array<Setting<RoutingOptions>, 5> kRouting{{
    {"sort", OwnForm{"\"balance\", \"price\", \"throughput\" or \"latency\"", "\"balance\""}, 0, 0,
     kLive,
     "What decides between endpoints where the request does not say. `balance`: the cheaper, the "
     "oftener."},
    {"sticky_conversations_max", &RoutingOptions::sticky_conversations_max, 0, 10'000'000, kFixed,
     "Conversations that stay at the endpoint that has their prompt in its cache, all shards "
     "together; the one not heard of for longest goes. 0: none stay."},
    {"health_file", &RoutingOptions::health_file, 0, kPathMax, kFixed,
     "What was measured of endpoints outlives a restart in this file; `\"\"`: it does not.",
     "none"},
    {"hedge", &RoutingOptions::hedge, 0, 0, kLive,
     "A stream that is slow to begin is asked of another endpoint too, within the retry budgets; "
     "the first to begin answers, the other is cut. Both prompts are billed."},
    {"hedge_ms_min", &RoutingOptions::hedge_ms_min, 1, kDayMs, kLive,
     "What counts as slow at the least; more where more than 5 of 100 answers of the endpoint "
     "take longer."},
}};

constexpr std::array<Setting<HoldOptions>, 3> kHold{{
    {"mode", OwnForm{"\"auto\", \"always\" or \"off\"", "\"auto\""}, 0, 0, kLive,
     "Whether events of a running stream may wait for the next ones, so that a core serves more of "
     "them. `auto`: while the core is busy, and only as long as that needs. `always`: whatever the "
     "load, for measurements. Never the first events, tool calls, or what follows the finish "
     "reason."},
    {"ms_max", &HoldOptions::ms_max, 0, HoldOptions::kMsMax, kLive,
     "The longest that an event waits; less than 4: none does. A client may ask for less "
     "(`x-leat-max-hold-ms`)."},
    {"busy_percent", &HoldOptions::busy_percent, 10, 99, kLive,
     "Use of a core below which nothing waits, with `auto`."},
}};

constexpr std::array<Setting<LedgerSettings>, 6> kLedger{{
    {"folder", &LedgerSettings::folder, 0, kPathMax, kFixed,
     "A folder that is there, for this Leat alone: a durable record of each request is kept in it. "
     "`\"\"`: usage is counted and not kept.",
     "none"},
    {"mode", OwnForm{"\"strict\" or \"grouped\"", "\"strict\""}, 0, 0, kFixed,
     "`strict`: an answer ends when its record is on disk. `grouped`: up to 5 ms before."},
    {"segment_mib", &LedgerSettings::segment_mib, 1, 1'024, kFixed,
     "Size of a file, but for the first of each shard, which are small."},
    {"open_requests_max", &LedgerSettings::open_requests_max, 1, 1'000'000, kFixed,
     "Requests that run at once, a shard; above: 503 `ledger_unavailable`. 576 bytes each."},
    {"charge_ambiguous", &LedgerSettings::charge_ambiguous, 0, 0, kFixed,
     "What a key pays for a request that a crash cut off: all that was reserved for it, or "
     "nothing."},
    {"retention_days", &LedgerSettings::retention_days, 0, 36'500, kFixed,
     "How long records are kept; 0: for ever."},
}};

constexpr std::array<Setting<LogSettings>, 2> kLog{{
    {"access", OwnForm{"\"off\", \"json\" or \"logfmt\"", "\"off\""}, 0, 0, kFixed,
     "One line for each request that ended, never with content. Off, since refusals are logged in "
     "any case, the ledger has a record of all others, and the lines name users and addresses."},
    {"access_file", OwnForm{"text", "\"-\""}, 0, 0, kFixed,
     "Where to: a file that is appended to, made if it is not there and opened anew on SIGUSR1 "
     "(logrotate); `\"-\"`: standard error. What is not taken in time is dropped and counted."},
}};

constexpr std::array<Setting<ContentLogSettings>, 7> kContentLog{{
    {"folder", &ContentLogSettings::folder, 0, kPathMax, kFixed,
     "A folder for its owner alone (mode 700; made if it is not there), in which requests of keys "
     "with `log_content` and their answers are kept, a line of JSON each. `\"\"`: no content is "
     "ever written anywhere. The sandbox takes in only the folder of the start.",
     "none"},
    {"parts", OwnForm{"array of \"request\" and \"answer\"", "[\"request\", \"answer\"]"}, 0, 0,
     kLive, "What of them."},
    {"redact", OwnForm{"array of \"email\", \"card\", \"api_key\", \"phone\" and \"iban\"", "all"},
     0, 0, kLive,
     "What is replaced by `[redacted:email]` and the like before it is written, wherever it stands "
     "in a text. By its form alone: a name or an address stays."},
    {"body_bytes_max", &ContentLogSettings::body_bytes_max, 1'024, 1'048'576, kLive,
     "Of a request, and of an answer, without images, sound and files; the rest is not written, "
     "and "
     "the line says so."},
    {"file_mib_max", &ContentLogSettings::file_mib_max, 1, 1'024, kLive,
     "Size of a file; then, and on each day (UTC), a new one is begun."},
    {"total_mib_max", &ContentLogSettings::total_mib_max, 1, 1'048'576, kLive,
     "Size of all files together; then the oldest goes."},
    {"retention_days", &ContentLogSettings::retention_days, 0, 36'500, kLive,
     "How long a file is kept after its last line; 0: for ever."},
}};

constexpr std::array<Setting<TraceSettings>, 6> kTrace{{
    {"endpoint", OwnForm{"text", "none"}, 0, 0, kFixed,
     "OTLP/HTTP address of a collector, with its path: `http://127.0.0.1:4318/v1/traces`, or "
     "`https://`. Without it nothing is traced, and `traceparent` is passed on as it came."},
    {"ca_file", &TraceSettings::ca_file, 1, kPathMax, kFixed,
     "PEM bundle of the authorities that may vouch for an `https://` collector.", "the system's"},
    {"secret", OwnForm{"secret source", "none"}, 0, 0, kFixed,
     "The collector's credential, sent along with each batch."},
    {"secret_header", &TraceSettings::secret_header, 1, kNameMax, kFixed,
     "How: the name of a header, and a word in front of the credential if there is one."},
    {"service_name", &TraceSettings::service_name, 1, kNameMax, kFixed,
     "`service.name` of the spans."},
    {"sample_percent", OwnForm{"text: percent, or a whole number of them", "100"}, 0, 0, kFixed,
     "Share of requests that are traced, 0 to 100, four decimals at most. A request with a "
     "`traceparent` brings its own decision, which is kept."},
}};

}  // namespace

std::span<const Setting<RootKeys>> root_settings() {
  return kRoot;
}
std::span<const Setting<ServerOptions>> server_settings() {
  return kServer;
}
std::span<const Setting<ServerOptions>> server_tls_settings() {
  return kServerTls;
}
std::span<const Setting<Listener>> listener_settings() {
  return kListener;
}
std::span<const Setting<AdminOptions>> admin_settings() {
  return kAdmin;
}
std::span<const Setting<AccountSettings>> account_settings() {
  return kAccounts;
}
std::span<const Setting<AuthKeys>> auth_settings() {
  return kAuth;
}
std::span<const Setting<ClientKey>> key_settings() {
  return kKey;
}
std::span<const Setting<Provider>> provider_settings() {
  return kProvider;
}
std::span<const Setting<SimulatedOptions>> simulated_settings() {
  return kSimulated;
}
std::span<const Setting<Model>> model_settings() {
  return kModel;
}
std::span<const Setting<Endpoint>> endpoint_settings() {
  return kEndpoint;
}
std::span<const Setting<SecretSource>> secret_settings() {
  return kSecret;
}
std::span<const Setting<KeyLimits>> key_limit_settings() {
  return kKeyLimits;
}

std::span<const Setting<KeyRouting>> key_routing_settings() {
  return kKeyRouting;
}
std::span<const Setting<RoutingOptions>> routing_settings() {
  return kRouting;
}
std::span<const Setting<HoldOptions>> hold_settings() {
  return kHold;
}
std::span<const Setting<LedgerSettings>> ledger_settings() {
  return kLedger;
}
std::span<const Setting<LogSettings>> log_settings() {
  return kLog;
}
std::span<const Setting<ContentLogSettings>> content_log_settings() {
  return kContentLog;
}
std::span<const Setting<TraceSettings>> trace_settings() {
  return kTrace;
}

}  // namespace leat::control
