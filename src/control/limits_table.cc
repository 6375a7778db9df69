// SPDX-License-Identifier: Apache-2.0
// The rows of [limits]. Why each default is what it is: include/leat/options.h.
#include <array>

#include "control/option_table.h"
#include "proto/http1_field.h"
#include "proto/http1_head.h"

namespace leat::control {
namespace {

constexpr std::int64_t kKiB = 1'024;
constexpr std::int64_t kMiB = 1'024 * kKiB;
constexpr std::int64_t kGiB = 1'024 * kMiB;
constexpr std::int64_t kDayMs = 86'400'000;

constexpr Setting<Limits> row(std::string_view key, Setting<Limits>::Target target,
                              std::int64_t min, std::int64_t max, std::string_view meaning) {
  return {key, target, min, max, Reload::kLive, meaning};
}

// Of what is shared out, or copied, when shards are made.
constexpr Setting<Limits> fixed_row(std::string_view key, Setting<Limits>::Target target,
                                    std::int64_t min, std::int64_t max, std::string_view meaning) {
  return {key, target, min, max, Reload::kFixed, meaning};
}

constexpr std::array kLimits{
    row("tls_handshake_ms_max", &Limits::tls_handshake_ms_max, 1, kDayMs,
        "A client's TLS handshake; then closed."),
    row("request_head_ms_max", &Limits::request_head_ms_max, 1, kDayMs,
        "From accept, or the end of its TLS handshake, to the end of the head, in all; then 408, "
        "or closed if no byte came."),
    row("head_bytes_max", &Limits::head_bytes_max, kKiB, proto::kHeadBytesMax,
        "A request's head; 431."),
    row("head_line_bytes_max", &Limits::head_line_bytes_max, 256, kMiB,
        "One line of it; 431, the request line 414."),
    row("headers_max", &Limits::headers_max, 1, proto::FieldList::kFieldsMax,
        "Header fields of a request; 431."),
    row("keep_alive_idle_ms_max", &Limits::keep_alive_idle_ms_max, 1, kDayMs,
        "A client's connection between requests; then closed."),
    row("pipelined_requests_max", &Limits::pipelined_requests_max, 1, 1'024,
        "Requests waiting on one connection; then it is not read."),
    row("http2_streams_max", &Limits::http2_streams_max, 1, 10'000,
        "Requests at a time on one connection that speaks HTTP/2."),
    row("http2_resets_max", &Limits::http2_resets_max, 1, 1'000'000,
        "Streams in 10 s that its client resets, or has reset by a fault; then it is ended."),
    row("http2_control_frames_max", &Limits::http2_control_frames_max, 1, 1'000'000,
        "Frames in 10 s that bring nothing (PING, SETTINGS, ...), beside some for each request and "
        "each frame of an answer; then it is ended."),
    fixed_row("connections_max", &Limits::connections_max, 0, 10'000'000,
              "Client connections in all; 0 = the smaller of 50,000 and half of the descriptors; "
              "closed."),
    row("connections_per_address_max", &Limits::connections_per_address_max, 1, 10'000'000,
        "Connections of one public address; closed."),
    row("connections_before_key_per_address_max", &Limits::connections_before_key_per_address_max,
        1, 10'000'000, "Of those, the ones that have shown no good key; closed."),
    row("limit_private_addresses", &Limits::limit_private_addresses, 0, 0,
        "Whether limits per address hold for loopback and private addresses too."),
    row("failed_auth_per_minute_max", &Limits::failed_auth_per_minute_max, 1, 1'000'000,
        "Bad keys from one address; then 429 for a while."),
    row("failed_auth_block_ms", &Limits::failed_auth_block_ms, 0, kDayMs, "That while."),
    row("drain_bytes_max", &Limits::drain_bytes_max, 0, 64 * kMiB,
        "Read and dropped of a body whose answer was sent early; then closed."),
    row("drain_ms_max", &Limits::drain_ms_max, 0, kDayMs, "How long that may take."),
    row("body_bytes_max", &Limits::body_bytes_max, kKiB, kGiB,
        "Body of a request to a model; 413."),
    row("small_body_bytes_max", &Limits::small_body_bytes_max, kKiB, kGiB,
        "Body on every other route; 413."),
    row("body_idle_ms_max", &Limits::body_idle_ms_max, 1, kDayMs,
        "Between two pieces of a body; 408."),
    row("body_bytes_per_second_min", &Limits::body_bytes_per_second_min, 0, kGiB,
        "Pace of a body after `body_pace_after_ms`; slower: 408."),
    row("body_pace_after_ms", &Limits::body_pace_after_ms, 0, kDayMs,
        "When that pace begins to be asked for."),
    row("buffered_body_bytes_per_key_max", &Limits::buffered_body_bytes_per_key_max, kMiB,
        1'024 * kGiB, "Bodies held for one key; 429 `overloaded_key`."),
    fixed_row("buffered_body_memory_percent_max", &Limits::buffered_body_memory_percent_max, 1, 100,
              "Bodies held for all, of `memory_bytes_max`; 503."),
    row("json_depth_max", &Limits::json_depth_max, 1, 1'024,
        "Nesting of a request's JSON; 400 `json_too_complex`."),
    row("json_keys_max", &Limits::json_keys_max, 1, 10'000'000,
        "Keys in one of its objects; 400 `json_too_complex`."),
    row("json_tokens_max", &Limits::json_tokens_max, 1, 1'000'000'000,
        "Its tokens in all; 400 `json_too_complex`."),
    row("streams_per_key_max", &Limits::streams_per_key_max, 1, 10'000'000,
        "Requests of one key at a time; 429."),
    row("dns_ms_max", &Limits::dns_ms_max, 1, kDayMs, "Resolving a provider's name."),
    row("connect_ms_max", &Limits::connect_ms_max, 1, kDayMs,
        "Connecting to one of its addresses."),
    row("upstream_tls_handshake_ms_max", &Limits::upstream_tls_handshake_ms_max, 1, kDayMs,
        "TLS handshake with a provider."),
    row("first_byte_ms_min", &Limits::first_byte_ms_min, 1, kDayMs,
        "To the first content of a streamed answer; next endpoint, then 504. The limit adapts to "
        "what an endpoint needs: four times what the slowest hundredth of its answers took lately, "
        "never less than this."),
    row("first_byte_ms_max", &Limits::first_byte_ms_max, 1, kDayMs,
        "And never more than this, which is the limit while nothing was measured, and of answers "
        "that are no stream. Equal to `first_byte_ms_min`: a fixed limit. Where only this is "
        "written, and is less than the least, the least is no more than this."),
    row("chunk_gap_ms_max", &Limits::chunk_gap_ms_max, 1, kDayMs,
        "Between two pieces of an answer; error event."),
    row("request_ms_max", &Limits::request_ms_max, 1, kDayMs, "A request as a whole."),
    row("upstream_idle_ms_max", &Limits::upstream_idle_ms_max, 1, kDayMs,
        "A provider's connection in the pool; then closed."),
    row("upstream_head_bytes_max", &Limits::upstream_head_bytes_max, kKiB, proto::kHeadBytesMax,
        "Head of a provider's answer; 502."),
    row("upstream_informational_max", &Limits::upstream_informational_max, 0, 1'000,
        "1xx answers before the final one; 502."),
    row("sse_line_bytes_max", &Limits::sse_line_bytes_max, kKiB, kGiB,
        "One line of a stream; 502 or error event."),
    row("upstream_body_bytes_max", &Limits::upstream_body_bytes_max, kKiB, kGiB,
        "An answer that is not a stream; 502."),
    row("stream_bytes_max", &Limits::stream_bytes_max, kKiB, 1'024 * kGiB,
        "A stream as a whole; error event."),
    row("held_bytes_max", &Limits::held_bytes_max, kKiB, 64 * kMiB,
        "Held of a stream before its first content, while another endpoint may still be tried."),
    row("collected_answer_bytes_max", &Limits::collected_answer_bytes_max, kKiB, 64 * kMiB,
        "Collected of an answer that is not a stream before it is passed on."),
    row("attempts_per_request_max", &Limits::attempts_per_request_max, 1, 16,
        "Endpoints tried for one request."),
    row("retry_budget_percent_max", &Limits::retry_budget_percent_max, 0, 100,
        "Attempts beyond the first, of the last 10 s: this share of the requests that may go to a "
        "provider, and of all of a shard."),
    row("retry_floor_per_second", &Limits::retry_floor_per_second, 0, 1'000'000,
        "So many of them all the same, where that is more."),
    row("continuation_text_bytes_max", &Limits::continuation_text_bytes_max, kKiB, 64 * kMiB,
        "Kept of a stream's text where the model has `continuation`; a longer one is not carried "
        "on."),
    fixed_row("dns_cache_entries_max", &Limits::dns_cache_entries_max, 1, 1'000'000,
              "Names remembered, a shard."),
    fixed_row("dns_addresses_max", &Limits::dns_addresses_max, 1, 256,
              "Addresses kept of one name."),
    fixed_row("dns_ttl_s_min", &Limits::dns_ttl_s_min, 0, 86'400,
              "The least time an answer is kept."),
    fixed_row("dns_ttl_s_max", &Limits::dns_ttl_s_max, 0, 86'400,
              "The longest time an answer is kept."),
    fixed_row("dns_stale_s_max", &Limits::dns_stale_s_max, 0, 86'400,
              "How long an old answer serves while the resolver fails."),
    row("client_buffer_bytes_max", &Limits::client_buffer_bytes_max, 4 * kKiB, kGiB,
        "Held for a client that does not read; then its upstream is not read."),
    row("client_stall_ms_max", &Limits::client_stall_ms_max, 1, kDayMs,
        "A client that takes nothing; then both are cut."),
    fixed_row("memory_bytes_max", &Limits::memory_bytes_max, 0, 1'048'576 * kMiB,
              "What the shares below are of; 0 = the cgroup's limit, else the machine's memory."),
    row("memory_shrink_timeouts_percent", &Limits::memory_shrink_timeouts_percent, 1, 100,
        "From here idle times are quartered."),
    row("memory_no_keep_alive_percent", &Limits::memory_no_keep_alive_percent, 1, 100,
        "From here connections are closed after an answer."),
    row("memory_refuse_percent", &Limits::memory_refuse_percent, 1, 100,
        "From here requests get 503."),
    row("memory_stop_accept_percent", &Limits::memory_stop_accept_percent, 1, 100,
        "From here nobody is accepted."),
    row("late_shrink_timeouts_ms", &Limits::late_shrink_timeouts_ms, 1, kDayMs,
        "How late a shard's loop always is with what came: from here idle times are quartered."),
    row("late_no_keep_alive_ms", &Limits::late_no_keep_alive_ms, 1, kDayMs,
        "From here connections without TLS are closed after an answer, to come to other shards."),
    row("late_refuse_ms", &Limits::late_refuse_ms, 1, kDayMs,
        "From here requests get 503 while a turn is late (from a tenth of this on some, from a "
        "half "
        "on all) if their keys have their fair share of what runs, the later the less of it; "
        "from ten times this, all."),
    row("late_stop_accept_ms", &Limits::late_stop_accept_ms, 1, kDayMs,
        "From here nobody is accepted."),
};

}  // namespace

std::span<const Setting<Limits>> limit_settings() {
  return kLimits;
}

}  // namespace leat::control
