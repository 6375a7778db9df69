// SPDX-License-Identifier: Apache-2.0
// Options: everything an operator may set, as plain values. Built once (from TOML by src/control,
// or by an embedder), then immutable; every shard reads the same snapshot and none writes it.
//
// What src/control hands out has been checked whole: indices are in range, ports are not 0 (except
// where the kernel may choose), times not set on a model or provider have been filled from Limits.
// It holds no secret, only where each one is to be found; the values go into locked memory at load.
//
// Units stand in the names: _ms milliseconds, _s seconds, _bytes bytes, _percent 0..100. A name
// ending in _max is a limit: what exceeds it is refused, cut or closed as its comment says.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace leat {

// Where a secret is read from at load. Files lose one trailing newline; an empty value is a fault.
struct SecretSource {
  enum class Kind : std::uint8_t { kNone, kEnvironment, kFile };
  Kind kind = Kind::kNone;
  std::string name;  // the variable's name or the file's path

  bool operator==(const SecretSource&) const = default;
};

// One data listener: `"127.0.0.1:8080"`, `"[::1]:8080"` or with `tls://` in front.
struct Listener {
  std::string host;        // an IP address in text, without brackets; never a name
  std::uint16_t port = 0;  // 0: the kernel chooses (tests, embedders)
  bool tls = false;
  // A FIN from an HTTP/1.1 client means "gone" and ends its upstream exchange; true serves clients
  // that half-close after their request, and gives that promise up (F27).
  bool half_close_allowed = false;

  bool operator==(const Listener&) const = default;
};

// Whether a layer of hardening that the machine does not give keeps Leat from starting.
enum class Hardening : std::uint8_t { kTry, kRequire };

// Which shard a new connection goes to. kAuto: as kCore where cards bring packets to the pinned
// cores and to no other, else as kHash.
enum class Steering : std::uint8_t {
  kAuto,
  kCore,  // that of the core which took its first packet; needs `pin`
  kHash   // any: by a hash of its addresses and ports
};

// kAuto: for the memory that rings receive into, where the kernel gives them to whoever asks. kOn:
// reserved ones if there are, and for all other memory too. kOff: none, whatever the kernel does of
// itself.
enum class HugePages : std::uint8_t { kAuto, kOn, kOff };

// [server]: what clients connect to. Fixed at start.
struct ServerOptions {
  std::vector<Listener> listen;    // 1..64, no two equal
  std::uint32_t shards = 1;        // 0..256; 0 = one per core this process may run on
  std::vector<std::uint32_t> pin;  // a core number for each shard; empty: not pinned
  std::string tls_certificate;     // PEM chain, leaf first; needed by a tls:// listener
  std::string tls_key;             // PEM, not encrypted
  bool own_tls_records = true;     // of TLS 1.3, once a handshake is done; false: the library's
  // Whether clients may speak HTTP/2: over TLS by ALPN, without it by prior knowledge from
  // loopback.
  bool http2 = true;
  // Path of a Unix socket by which another process takes over; empty: none can.
  std::string takeover_socket;
  // SIGTERM: how long running requests may still take. 15 min: the longest request there is.
  std::uint32_t drain_grace_ms = 900'000;
  Hardening hardening = Hardening::kTry;
  Steering steering = Steering::kAuto;
  HugePages huge_pages = HugePages::kAuto;
  // How long an idle shard asks the network cards for packets itself before it sleeps; 0: not at
  // all. It takes the core for it.
  std::uint32_t napi_busy_poll_us = 0;  // 0..10,000

  bool operator==(const ServerOptions&) const = default;
};

// [admin]: /healthz /readyz /metrics, and the management API where there are accounts. Loopback
// only.
struct AdminOptions {
  bool enabled = true;  // listen = "" switches it off
  Listener listen{.host = "127.0.0.1", .port = 8081};
  // Who shows this may do all that management can; kNone: only management keys and the socket.
  SecretSource operator_key;
  // Path of a Unix socket for `leat keys`, `leat credits` and `leat usage`, whose file mode is the
  // credential; empty: none.
  std::string socket;

  bool operator==(const AdminOptions&) const = default;
};

// [accounts]: organisations, workspaces and keys beside those of [[keys]].
struct AccountSettings {
  std::string store_file;  // SQLite; empty: there are no accounts
  SecretSource
      master_key;  // 32 bytes in hexadecimal that seal provider keys; kNone: there are none
  std::uint32_t byok_fee_ppm = 0;  // of list prices, for requests on a workspace's own provider key
  bool provider_keys_in_requests = false;  // X-Provider-API-Keys is heeded

  bool operator==(const AccountSettings&) const = default;
};

// When an answer may end: once its record is on disk, or up to 5 ms before.
enum class LedgerDurability : std::uint8_t { kStrict, kGrouped };

// [ledger]: one durable record for each request that was admitted.
struct LedgerSettings {
  std::string folder;  // it must be there; empty: usage is counted and not kept
  LedgerDurability mode = LedgerDurability::kStrict;
  std::uint32_t segment_mib = 64;            // 1..1,024: the size of a file
  std::uint32_t open_requests_max = 16'384;  // a shard; above: 503 ledger_unavailable
  // What a key pays for a request that a crash cut off: all that was reserved, or nothing.
  bool charge_ambiguous = false;
  std::uint32_t retention_days = 0;  // older segments are used again; 0: all are kept

  bool operator==(const LedgerSettings&) const = default;
};

// A base URL, taken apart. No userinfo, query or fragment; never followed elsewhere (no redirects).
struct BaseUrl {
  bool tls = true;   // https; plain http needs allow_private
  std::string host;  // name or IP address in text, without brackets, lower case
  std::uint16_t port = 443;
  std::string path_prefix;  // "" or "/v1": begins with a slash, does not end with one
  std::string authority;    // for the Host field: host[:port], the port only when not the scheme's

  bool operator==(const BaseUrl&) const = default;
};

// What an access log's lines are written as.
enum class AccessFormat : std::uint8_t { kOff, kJson, kLogfmt };

// [log]: one line for each request that ended. Never content, a secret or a header.
struct LogSettings {
  AccessFormat access = AccessFormat::kOff;
  std::string access_file;  // appended to, opened anew on SIGUSR1; empty: standard error

  bool operator==(const LogSettings&) const = default;
};

// What of a request's content is made unreadable before it is logged. Bits of
// ContentLogSettings::redact.
enum class RedactKind : std::uint8_t { kEmail, kCard, kApiKey, kPhone, kIban };
inline constexpr std::size_t kRedactKinds = 5;

// [content_log]: what requests of certain keys (ClientKey::log_content) say and are answered. The
// folder is fixed at start, the rest is not.
struct ContentLogSettings {
  std::string folder;  // 0700, made if it is not there; empty: nothing is ever logged
  bool logs_requests = true;
  bool logs_answers = true;
  std::uint32_t redact = (1U << kRedactKinds) - 1;
  std::uint32_t body_bytes_max = 65'536;  // of a request and of an answer; the rest is not logged
  std::uint32_t file_mib_max = 64;        // then a new file is begun, as on each day (UTC)
  std::uint32_t total_mib_max = 1'024;    // then the oldest files go
  std::uint32_t retention_days = 30;      // after its last record a file goes; 0: never

  bool operator==(const ContentLogSettings&) const = default;
};

// [trace]: spans of requests, for an OpenTelemetry collector.
struct TraceSettings {
  bool enabled = false;  // an endpoint was given
  // Of the collector, with the path that OTLP/HTTP is taken at as its prefix: it is not appended
  // to.
  BaseUrl endpoint;
  std::string ca_file;  // PEM bundle; empty: the system's
  // Sent along as `NAME: WORD SECRET`, or `NAME: SECRET` where there is no word; kNone: nothing is.
  SecretSource secret;
  std::string secret_header = "Authorization: Bearer";
  std::string service_name = "leat";
  // Of the requests that bring no decision of their own (traceparent), in millionths.
  std::uint32_t sample_ppm = 1'000'000;

  bool operator==(const TraceSettings&) const = default;
};

// kOff serves whoever connects, as the key named "anonymous"; allowed on loopback listeners only.
enum class AuthMode : std::uint8_t { kKeys, kOff };

// [keys.routing]: where a key's requests may go at most. A request narrows it, never widens it.
struct KeyRouting {
  bool has_only = false;             // `only` is there, be it empty
  std::vector<std::string> only;     // slugs of providers or full endpoint slugs
  std::vector<std::string> ignore;   // the same
  std::vector<std::string> regions;  // empty: anywhere; else endpoints of unknown region are out
  bool zdr = false;                  // only endpoints that keep nothing
  bool deny_data_collection = false;

  bool operator==(const KeyRouting&) const = default;
};

// When a budget begins anew: at midnight UTC, of Mondays, of the first of a month, or never.
enum class BudgetPeriod : std::uint8_t { kNone, kDaily, kWeekly, kMonthly };

// What a key of [[keys]] may use. 0 admits nothing.
struct KeyLimits {
  static constexpr std::uint64_t kUnlimited = UINT64_MAX;
  static constexpr std::int64_t kNoBudget = INT64_MAX;

  std::uint64_t requests_per_minute_max = kUnlimited;
  std::uint64_t tokens_per_minute_max = kUnlimited;
  std::uint64_t tokens_per_day_max = kUnlimited;
  std::uint64_t concurrency_max = kUnlimited;  // requests that run at once
  std::int64_t budget_nanodollars_max = kNoBudget;
  BudgetPeriod budget_period = BudgetPeriod::kNone;
  std::uint32_t output_default_max = 0;  // tokens of an answer to who states none; 0: the model's
  std::int64_t markup_ppm = 0;           // added to list prices; negative: a discount

  bool operator==(const KeyLimits&) const = default;
};

// [[keys]]: one client key. Only its digest is kept, whether it was configured as one or as a
// secret.
struct ClientKey {
  std::string name;                       // unique; metrics and logs carry it, never the key
  std::array<std::uint8_t, 32> sha256{};  // SHA-256 of the key's text
  SecretSource secret;                    // kNone when the digest itself was configured
  KeyRouting routing;
  KeyLimits limits;
  // The longest that an event of its streams waits, if the model's and the client's are not less.
  std::uint32_t hold_ms_max = 100;  // 0..HoldOptions::kMsMax
  bool log_content = false;         // its requests and answers go to the content log
  // Keeps the place of a key that a reload took away: a key's place is its number while Leat runs.
  bool is_removed = false;

  bool operator==(const ClientKey&) const = default;
};

// kSimulated is the built-in provider: an in-process pipe that needs no network, no key and no URL.
enum class ProviderFormat : std::uint8_t { kOpenAi, kSimulated };

// What is spoken with a provider. kAuto: HTTP/2 if the TLS handshake agrees on it, else HTTP/1.1.
enum class ProviderProtocol : std::uint8_t { kHttp1, kHttp2, kAuto };

// Whether the kernel may put off acknowledging a provider's events (docs/performance.md). kAuto:
// where a few streams have shown that the provider does not wait for them.
enum class DelayedAcks : std::uint8_t { kOff, kAuto, kOn };

// How the simulated provider behaves. The text is made from the prompt, the same for the same
// prompt.
struct SimulatedOptions {
  std::uint32_t tokens_per_second = 50;  // 0..1,000,000; 0 = as fast as it can
  std::uint32_t first_token_ms = 100;    // 0..600,000
  std::uint32_t tokens = 64;  // 1..1,000,000: length of an answer unless max_tokens is less
  std::uint32_t events_per_write = 1;  // 1..1,024: stream events that leave in one piece
  std::uint32_t error_percent = 0;     // share of requests answered with error_status
  std::uint32_t error_status = 503;    // 400..599
  std::uint32_t cut_percent = 0;       // share of streams that stop in the middle without an end
  std::uint32_t stall_percent = 0;     // share of requests that are never answered

  bool operator==(const SimulatedOptions&) const = default;
};

// [providers.NAME]: a place that answers. Live: may change at reload, except its name.
struct Provider {
  std::string name;          // unique; what endpoints refer to: letters, digits, - and _
  std::string display_name;  // `provider` in answers and in metrics; default: the name
  ProviderFormat format = ProviderFormat::kOpenAi;
  BaseUrl base_url;
  ProviderProtocol protocol = ProviderProtocol::kHttp1;
  DelayedAcks delayed_acks = DelayedAcks::kOff;  // of streams over HTTP/1.1
  std::string ca_file;                           // PEM bundle; empty: the system's
  // Sent as `authorization: Bearer …`, one for each attempt, by what is left of its limits; none:
  // no such field. 0..64.
  std::vector<SecretSource> api_keys;
  // Without it no address that is loopback, private, link-local or unspecified is ever connected
  // to, checked on each address at each connect, so that a name cannot be rebound (§3.4).
  bool allow_private = false;
  // Per shard. Above connections_max a request tries the next endpoint, then waits no longer: 503.
  std::uint32_t connections_max = 16'384;  // 1..1,000,000
  std::uint32_t idle_connections_max =
      1'024;  // 0..connections_max, kept for reuse, last used first
  // 0..idle_connections_max: opened before anyone asks. 0: as many HTTP/1.1 ones as were lately in
  // use at once.
  std::uint32_t warm_connections = 0;
  // Below the provider's own idle time, so that it is we who close. Default: Limits.
  std::uint32_t idle_ms_max = 30'000;
  std::uint32_t dns_ms_max = 2'000;            // default: Limits
  std::uint32_t connect_ms_max = 3'000;        // default: Limits; one address
  std::uint32_t tls_handshake_ms_max = 5'000;  // default: Limits
  // Whether a request that was written and got no reply may go to the next candidate (§4.1 class
  // B).
  bool retry_ambiguous = true;
  SimulatedOptions simulated;  // format kSimulated only

  bool operator==(const Provider&) const = default;
};

// Where a model is to be had. Tried in the order of the file.
struct Endpoint {
  std::uint32_t provider = 0;  // index into Options::providers
  // The provider's own name for it. "*" (pattern models only): the part that the id's star stood
  // for.
  std::string model;

  bool operator==(const Endpoint&) const = default;
};

// [[models]]: what clients may ask for. Live.
struct Model {
  // Exact, or a pattern `prefix/*` whose star takes any rest that is not empty. An exact id goes
  // before a pattern, a longer prefix before a shorter one. Patterns are not listed by GET
  // /v1/models.
  std::string id;
  std::string name;                  // for people; default: the id
  std::vector<Endpoint> endpoints;   // 1..16; none: the catalogue's, and only the times are ours
  std::int64_t created_unix_s = 0;   // `created` in GET /v1/models
  std::uint32_t context_tokens = 0;  // 0 = not known
  // The first-token limit adapts to what an endpoint needs, between these two; equal: fixed.
  // Defaults: Limits; never 0 after load.
  std::uint32_t first_byte_ms_min = 0;
  std::uint32_t first_byte_ms_max = 0;
  std::uint32_t chunk_gap_ms_max = 0;  // default: Limits; never 0 after load
  std::uint32_t request_ms_max = 0;    // default: Limits; never 0 after load
  bool hedge = false;                  // default: RoutingOptions
  // Whether a stream that breaks after its first content may be carried on by another endpoint of
  // the model from the text so far; never silently (docs/routing.md).
  bool continuation = false;
  std::uint32_t hold_ms_max = 25;  // 0..HoldOptions::kMsMax; default: HoldOptions

  bool is_pattern() const { return !id.empty() && id.back() == '*'; }

  bool operator==(const Model&) const = default;
};

// [limits]. Each: what it bounds, why this default, what happens to who exceeds it.
struct Limits {
  // ---- Client connections
  std::uint32_t tls_handshake_ms_max = 10'000;  // closed. As h2o.
  // From the accept, or the end of the TLS handshake, to the end of the head; of a further head
  // from its first byte. In all and not per read: a slow drip gains nothing. 408 if any byte came,
  // else closed in silence.
  std::uint32_t request_head_ms_max = 10'000;
  std::uint32_t head_bytes_max = 32 * 1024;       // 431, close
  std::uint32_t head_line_bytes_max = 8 * 1024;   // 431 (request line: 414), close
  std::uint32_t headers_max = 100;                // 431, close
  std::uint32_t keep_alive_idle_ms_max = 75'000;  // closed
  std::uint32_t pipelined_requests_max = 16;      // reading stops until one is served
  // HTTP/2 (threats-and-faults.md 3.3). More streams at a time are an error of the connection or
  // refused; 3.3's 100, as Envoy.
  std::uint32_t http2_streams_max = 100;
  // In 10 s, of one connection: streams that the client resets, or makes us reset; frames that
  // bring nothing, beyond those that our answers ask for. GOAWAY ENHANCE_YOUR_CALM, close.
  std::uint32_t http2_resets_max = 100;
  std::uint32_t http2_control_frames_max = 50;
  // 0 = min(half of the descriptor limit, 50,000). Closed before TLS and counted.
  std::uint32_t connections_max = 0;
  std::uint32_t connections_per_address_max = 256;  // closed before TLS
  std::uint32_t connections_before_key_per_address_max =
      32;  // those with no good key shown yet; closed
  // Loopback and private addresses are exempt from per-address limits, being often a proxy's.
  bool limit_private_addresses = false;
  std::uint32_t failed_auth_per_minute_max = 20;  // an address; then 429 for failed_auth_block_ms
  std::uint32_t failed_auth_block_ms = 60'000;
  // An answer sent before the body was read: drained this far, then closed (keeps the answer
  // readable).
  std::uint32_t drain_bytes_max = 64 * 1024;
  std::uint32_t drain_ms_max = 1'000;

  // ---- Request bodies
  std::uint32_t body_bytes_max =
      32 * 1024 * 1024;  // chat; 413 before reading when the length is told
  std::uint32_t small_body_bytes_max = 256 * 1024;  // every other route; 413
  std::uint32_t body_idle_ms_max = 15'000;          // 408, close
  std::uint32_t body_bytes_per_second_min = 1'024;  // after body_pace_after_ms; 408, close
  std::uint32_t body_pace_after_ms = 10'000;
  std::uint64_t buffered_body_bytes_per_key_max = 256ull * 1024 * 1024;  // 429 overloaded_key
  std::uint32_t buffered_body_memory_percent_max = 25;  // of memory_bytes_max, all keys; 503

  // ---- JSON
  std::uint32_t json_depth_max = 128;         // 400 json_too_complex
  std::uint32_t json_keys_max = 10'000;       // in one object; 400 json_too_complex
  std::uint32_t json_tokens_max = 4'000'000;  // 400 json_too_complex

  // ---- Keys
  std::uint32_t streams_per_key_max = 1'000;  // requests in flight of one key; 429 with retry-after

  // ---- Upstream
  std::uint32_t dns_ms_max = 2'000;      // next candidate, then 502
  std::uint32_t connect_ms_max = 3'000;  // next address, then next candidate, then 502
  std::uint32_t upstream_tls_handshake_ms_max =
      5'000;  // next address, then next candidate, then 502
  // To the first content event; next candidate, then 504. Four times what the endpoint's slowest
  // hundredth took lately, within these; the larger one without data, and for whole answers.
  std::uint32_t first_byte_ms_min = 10'000;
  std::uint32_t first_byte_ms_max = 120'000;
  std::uint32_t chunk_gap_ms_max = 60'000;  // between bytes of a stream; error event
  std::uint32_t request_ms_max = 900'000;   // whole request; SDKs give up at 10 min; error event
  std::uint32_t upstream_idle_ms_max = 30'000;               // idle in the pool; closed
  std::uint32_t upstream_head_bytes_max = 64 * 1024;         // 502
  std::uint32_t upstream_informational_max = 8;              // 1xx heads before the final one; 502
  std::uint32_t sse_line_bytes_max = 8 * 1024 * 1024;        // 502 before content, else error event
  std::uint32_t upstream_body_bytes_max = 64 * 1024 * 1024;  // answer that is not streamed; 502
  std::uint64_t stream_bytes_max = 256ull * 1024 * 1024;  // one stream; error event, upstream cut
  // What a 200 may send before its first content event while failover is still open; then
  // committed.
  std::uint32_t held_bytes_max = 256 * 1024;
  // A non-streamed answer is collected and checked up to here before it is committed.
  std::uint32_t collected_answer_bytes_max = 1024 * 1024;
  std::uint32_t attempts_per_request_max = 3;  // then the last failure is the answer
  // Attempts beyond the first, a provider, over 10 s: this share of its requests, or the floor if
  // that is more.
  std::uint32_t retry_budget_percent_max = 10;
  std::uint32_t retry_floor_per_second = 1;
  // Kept of a stream's text where its model has `continuation`; a longer one is not carried on.
  std::uint32_t continuation_text_bytes_max = 256 * 1024;
  std::uint32_t dns_cache_entries_max = 1'024;  // a shard; the oldest goes
  std::uint32_t dns_addresses_max = 16;         // kept of one answer
  std::uint32_t dns_ttl_s_min = 5;              // an answer's time to live is brought into 5..300 s
  std::uint32_t dns_ttl_s_max = 300;
  std::uint32_t dns_stale_s_max = 3'600;  // old answers served while the resolver fails

  // ---- A client that does not read
  std::uint32_t client_buffer_bytes_max = 4 * 1024;  // then its upstream is no longer read
  std::uint32_t client_stall_ms_max = 60'000;        // no byte taken for so long; both cut

  // ---- Memory. 0 = what the cgroup allows, else the machine's.
  std::uint64_t memory_bytes_max = 0;
  std::uint32_t memory_shrink_timeouts_percent = 85;  // idle times a quarter
  std::uint32_t memory_no_keep_alive_percent = 92;    // answers carry connection: close
  std::uint32_t memory_refuse_percent = 95;           // 503 with retry-after
  std::uint32_t memory_stop_accept_percent = 98;      // nothing accepted

  // ---- Lateness of a shard's loop that does not go away: the least over some tens of
  // milliseconds. What comes waits so long to be looked at. On a node that is well it is nothing,
  // however late others on the core, or a hypervisor, make single turns.
  std::uint32_t late_shrink_timeouts_ms = 5;  // idle times a quarter
  std::uint32_t late_no_keep_alive_ms = 8;    // answers carry connection: close, but over TLS
  // 503 with retry-after: for keys with a fair share of what runs; for all from ten times this.
  std::uint32_t late_refuse_ms = 10;
  std::uint32_t late_stop_accept_ms = 200;  // nothing accepted

  bool operator==(const Limits&) const = default;
};

// How endpoints are chosen where neither the request nor the key says.
enum class RoutingSort : std::uint8_t { kBalance, kPrice, kThroughput, kLatency };

// [routing].
struct RoutingOptions {
  RoutingSort sort = RoutingSort::kBalance;
  // Conversations that are kept at their endpoint for its prompt cache, all shards together.
  std::uint32_t sticky_conversations_max = 65'536;  // 0: none are
  // What was measured of endpoints outlives a restart in this file; empty: it does not.
  std::string health_file;
  // A stream that has no content after hedge_ms_min, or after the time that 95 of 100 need there if
  // that is more, is asked of another endpoint too, and the first one answers. Within the retry
  // budgets. Off, since both prompts are billed.
  bool hedge = false;
  std::uint32_t hedge_ms_min = 1'000;

  bool operator==(const RoutingOptions&) const = default;
};

// kAlways is for measuring: it holds whatever the load.
enum class HoldMode : std::uint8_t { kOff, kAuto, kAlways };

// [hold]: events of a running stream may wait for the next ones, so that a core serves more of
// them. Never its first ones, a tool call, or what follows its finish reason.
struct HoldOptions {
  static constexpr std::uint32_t kMsMax = 100;

  HoldMode mode = HoldMode::kAuto;
  std::uint32_t ms_max = 25;        // 0..kMsMax; the longest that an event waits; 0: none does
  std::uint32_t busy_percent = 60;  // 10..99, of a core; with kAuto, nothing waits below

  bool operator==(const HoldOptions&) const = default;
};

struct Options {
  ServerOptions server;
  AdminOptions admin;
  AccountSettings accounts;
  LedgerSettings ledger;
  LogSettings log;
  ContentLogSettings content_log;
  TraceSettings trace;
  AuthMode auth_mode = AuthMode::kKeys;
  std::vector<ClientKey> keys;      // at most 100,000
  std::vector<Provider> providers;  // at most 256
  std::vector<Model> models;        // at most 10,000
  RoutingOptions routing;
  HoldOptions hold;
  Limits limits;

  bool operator==(const Options&) const = default;
};

}  // namespace leat
