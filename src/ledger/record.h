// SPDX-License-Identifier: Apache-2.0
// UsageRecord: what one admitted request used and what became of it. Whoever settles the request
// fills one in and hands it to the ledger, which writes it down durably; a reader of segments gets
// it back. Never holds content: no prompt, no answer, no secret.
//
// Strings are views: on the way in of memory that must stay until append() returns, on the way out
// of the bytes that were decoded. A record owns nothing and copying one allocates nothing.
//
// Money is nano-dollars (1e-9 USD), integer. Token classes are counted apart; those called "part
// of" are within the class they name, as providers count them (provider-formats.md 4).
//
//   encoded:  version:u8 | numbers | attempts | strings | what a later version may add
//   numbers:  size, then integers in a fixed order. Fewer than known: the rest is 0.
//             More: skipped.
//   attempts: count, then each with its size, as above.
//   strings:  count, then each with its size. Fewer and more as above.
//
// All integers are LEB128 varints, signed ones zigzagged. So a field is added at the end of its
// section, under the same version; the version changes only when old readers must refuse.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/instant.h"
#include "base/result.h"

namespace leat::ledger {

using Nanodollars = std::int64_t;

// What is known of one attempt at an endpoint (threats-and-faults.md 4.1).
// IF YOU ADD A VALUE: at the end, since numbers are stored; name it in attempt_outcome_name().
enum class AttemptOutcome : std::uint8_t {
  kSucceeded,
  kNotExecuted,   // no byte of it went out, or the provider said that it ran nothing
  kRefused,       // a whole answer that was an error
  kAmbiguous,     // written, and no answer came: it may have run
  kFailedMidway,  // began to answer and did not end
  kClientGone,    // cut by us, since the client went away
  kHedgedAway,    // another attempt of the same request was faster
};
inline constexpr std::size_t kAttemptOutcomes = 7;
std::string_view attempt_outcome_name(AttemptOutcome outcome);

struct UsageAttempt {
  std::string_view endpoint;  // the catalogue's name of it
  std::string_view provider;
  std::string_view upstream_id;  // the provider's id of its answer, for reconciliation
  AttemptOutcome outcome = AttemptOutcome::kNotExecuted;
  std::uint16_t status = 0;  // of the provider's answer; 0: none came
  bool is_byok = false;      // paid with a key of the client's own
  Duration started{};        // since the request began
  Duration latency{};        // from then to its first content, or to its end without any
  // What the provider may ask for it. Of the attempt that answered: the record's cost. Of an
  // ambiguous one: the bound, which the operator reconciles and the client never pays.
  Nanodollars cost = 0;
};

// Counts of what was used: tokens unless it says otherwise. A negative one is written as 0.
struct UsageTokens {
  std::int64_t prompt = 0;            // all of the prompt
  std::int64_t cached = 0;            // part of prompt: read from the provider's cache
  std::int64_t cache_write = 0;       // part of prompt: written to it
  std::int64_t cache_write_1h = 0;    // part of cache_write: kept for an hour
  std::int64_t prompt_image = 0;      // part of prompt
  std::int64_t prompt_audio = 0;      // part of prompt
  std::int64_t cached_audio = 0;      // part of prompt_audio
  std::int64_t completion = 0;        // all of the answer
  std::int64_t reasoning = 0;         // part of completion
  std::int64_t completion_image = 0;  // part of completion
  std::int64_t completion_audio = 0;  // part of completion
  std::int64_t images = 0;            // images of the prompt, not tokens
  std::int64_t media_completion = 0;  // images and the like of the answer, not tokens
  std::int64_t web_searches = 0;      // searches, not tokens

  bool operator==(const UsageTokens&) const = default;
};

struct UsageFlags {
  bool is_streamed = false;
  bool is_cancelled = false;  // the client went away before the end
  bool is_estimated = false;  // counted by us from what passed, since the provider gave no usage
  bool is_ambiguous = false;  // whether a provider ran it is not known
  bool is_byok = false;
  bool is_clamped = false;    // the provider's usage was absurd, or beyond the reservation
  bool is_free = false;       // zero-completion insurance, or the operator said free
  bool is_recovered = false;  // written at a start for what an earlier process had begun

  bool operator==(const UsageFlags&) const = default;
};

struct UsageRecord {
  // More attempts than this are counted in attempts_made and not told apart.
  static constexpr std::size_t kAttemptsMax = 8;

  // ---- Who, and what for ----
  std::string_view generation_id;  // unique; what /generation?id= looks for
  std::string_view request_id;     // of the client's or ours, where it is another
  std::string_view key_id;         // never the key
  std::string_view organisation_id;
  std::string_view workspace_id;
  std::string_view user_id;  // as the client names its user
  std::string_view session_id;
  std::string_view app_referer;  // HTTP-Referer
  std::string_view app_title;    // X-Title
  std::string_view api;          // "chat", "completions", "embeddings", ...
  // ---- What was asked and who served it ----
  std::string_view model_asked;
  std::string_view model_served;  // empty: nobody did
  std::string_view provider;
  std::string_view endpoint;
  std::string_view upstream_id;
  std::string_view service_tier;
  std::string_view finish_reason;
  std::string_view native_finish_reason;
  std::string_view error_type;  // what the client was refused with; empty: nothing

  std::array<UsageAttempt, kAttemptsMax> attempts;
  std::uint8_t attempt_count = 0;  // of `attempts`
  std::uint32_t attempts_made = 0;
  std::uint16_t status = 0;  // of the answer to the client; 0: none was begun

  UsageTokens tokens;
  // ---- Money ----
  std::uint64_t price_version = 0;
  Nanodollars cost = 0;             // what the provider asks
  Nanodollars cost_prompt = 0;      // part of cost
  Nanodollars cost_completion = 0;  // part of cost
  Nanodollars charge = 0;           // what the key pays; never above `reserved`
  Nanodollars reserved = 0;
  Nanodollars shortfall = 0;  // what was asked beyond the reservation, borne by the operator
  Nanodollars byok_fee = 0;   // part of charge
  // ---- Times ----
  WallTime began{};        // when the request's head was read
  Duration queued{};       // until the first attempt began
  Duration first_token{};  // until the first content; 0: none came
  Duration total{};        // until its end
  UsageFlags flags;

  std::span<const UsageAttempt> attempts_known() const { return {attempts.data(), attempt_count}; }
  // Keeps the attempt, or only counts it when there is no place for it.
  void add_attempt(const UsageAttempt& attempt) {
    ++attempts_made;
    if (attempt_count < kAttemptsMax) attempts[attempt_count++] = attempt;
  }
};

// Limits of the strings, in bytes; what is longer is cut by encode(), at the end of a character.
// Ids and names of our own are far shorter; what a client or a provider writes must not make a
// record large.
struct RecordLimits {
  static constexpr std::size_t kIdMax = 64;       // ids, api, tier, reasons, error type
  static constexpr std::size_t kNameMax = 128;    // models, providers, endpoints, upstream ids
  static constexpr std::size_t kClientMax = 256;  // user, session (openrouter-api.md 2.12), app
};

// No encoded record is larger.
inline constexpr std::size_t kRecordBytesMax = 6'656;

// Writes the record at the front of `out` and returns its size. REQUIRES: `out` has
// kRecordBytesMax bytes; attempt_count <= kAttemptsMax.
std::size_t encode(const UsageRecord& record, std::span<char> out);

// Reads what encode() wrote; the record's views are of `bytes`. Errors: kInvalid (it cannot have
// been written by us), kUnsupported (by a version that we do not know).
Result<UsageRecord> decode(std::span<const char> bytes);
// The same into a record that is there, for who reads many: one is some 1.4 KiB. What it was before
// does not count; after an error it is neither.
Result<bool> decode(std::span<const char> bytes, UsageRecord& record);
// Of the same bytes only the id, for who looks for one among millions.
Result<std::string_view> decode_generation_id(std::span<const char> bytes);

// At most `size_max` bytes of the text, and no character cut in two where it is UTF-8.
std::string_view cut_text(std::string_view text, std::size_t size_max);

}  // namespace leat::ledger
