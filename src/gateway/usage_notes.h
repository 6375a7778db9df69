// SPDX-License-Identifier: Apache-2.0
// UsageNotes: what an exchange keeps of itself for its usage record, beyond the request, whose
// memory goes at the commit: what was asked, by whom, and how each attempt went. Never content.
// Belongs to its Exchange; made once for each, allocates for the request's words alone.
//
// Names of endpoints are views of the catalogue, which outlives every exchange; the client's and
// the provider's words are copied, as far as a record has room for them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/instant.h"
#include "gateway/endpoint_counters.h"
#include "gateway/metering.h"
#include "gateway/request_event.h"
#include "gateway/request_kind.h"
#include "ledger/record.h"
#include "policy/catalogue.h"

namespace leat::gateway {

class UsageNotes {
 public:
  explicit UsageNotes(Instant began, WallTime began_wall)
      : began_(began), began_wall_(began_wall) {}

  // From the head, before the body has come.
  void note_app(std::string_view request_id, std::string_view referer, std::string_view title);
  void note_request(std::string_view model, std::string_view user, std::string_view session);
  // Of the provider's answer, as it spelt them.
  void note_answer(std::string_view upstream_id, std::string_view native_finish_reason);

  // An attempt begins; what names it to the others. Beyond kAttemptsMax they are counted alone.
  std::uint8_t began(policy::EndpointId endpoint, bool is_byok, Instant now);
  void first_token(std::uint8_t attempt, Instant now);
  // An attempt whose answer broke and is to be carried on by another: what its part costs.
  void broke(std::uint8_t attempt, policy::Nanodollars cost, std::string_view upstream_id,
             Instant now);
  // Once for each attempt; a later call says nothing new.
  void ended(std::uint8_t attempt, ledger::AttemptOutcome outcome, int status, Instant now);

  // As it was asked for; empty until note_request(). Views these notes.
  std::string_view model() const { return text(model_); }
  // As it came. Views these notes.
  std::string_view request_id() const { return text(request_id_); }
  WallTime began_wall() const { return began_wall_; }
  std::uint32_t attempts_made() const { return attempts_made_; }

  // How it ended, for the client.
  struct End {
    std::string_view generation_id;
    std::string_view key_id;
    std::string_view workspace_id;
    std::string_view organisation_id;
    RequestKind kind = RequestKind::kChat;
    std::string_view model_served;
    policy::EndpointId endpoint = policy::kNoId;  // that answered; none: nobody did
    std::string_view finish_reason;               // in our words
    std::string_view error_type;
    std::uint64_t price_version = 0;
    std::uint16_t status = 0;
    bool is_streamed = false;
    bool is_cancelled = false;
    Instant now{};
  };
  // Views of these notes, of `end` and of the catalogue.
  ledger::UsageRecord record(const policy::Catalogue& catalogue, const Metered& metered,
                             const MoneyTerms& money, const End& end) const;
  // Of the attempts of such a record, one for one, what it does not say.
  void fill_attempts(const policy::Catalogue& catalogue, Instant now,
                     std::span<RequestEvent::Attempt> attempts) const;
  // Adds all attempts, and to the endpoint that answered what the request used and how long its
  // client waited, if the answer came whole.
  void count(EndpointCounterTable& table, const Metered& metered, const End& end) const;

 private:
  // A piece of texts_.
  struct Text {
    std::uint16_t begin = 0;
    std::uint16_t size = 0;
  };
  struct Attempt {
    policy::EndpointId endpoint = policy::kNoId;
    Instant started{};
    Instant first_token = kNever;
    Instant ended = kNever;
    ledger::AttemptOutcome outcome = ledger::AttemptOutcome::kNotExecuted;
    std::uint16_t status = 0;
    bool is_byok = false;
    bool is_part = false;  // of an answer that another one carries on, with:
    policy::Nanodollars cost = 0;
    Text upstream_id;
  };

  Text keep(std::string_view text, std::size_t most);
  std::string_view text(Text text) const {
    return std::string_view(texts_).substr(text.begin, text.size);
  }
  // The first that the client could see; kNever: none.
  Instant first_token_came() const;
  void add_attempts(const policy::Catalogue& catalogue, const Metered& metered,
                    const MoneyTerms& money, Instant now, ledger::UsageRecord& record) const;

  Instant began_;
  WallTime began_wall_;
  std::string texts_;
  Text request_id_, model_, user_, session_, referer_, title_, upstream_id_, native_finish_;
  std::array<Attempt, ledger::UsageRecord::kAttemptsMax> attempts_;
  std::uint32_t attempts_made_ = 0;
};

}  // namespace leat::gateway
