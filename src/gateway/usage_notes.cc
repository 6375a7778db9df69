// SPDX-License-Identifier: Apache-2.0
#include "gateway/usage_notes.h"

#include <algorithm>

namespace leat::gateway {

namespace {

using ledger::AttemptOutcome;
using ledger::RecordLimits;
using ledger::UsageRecord;

ledger::UsageTokens tokens_of(const dialect::ChatUsage& usage) {
  ledger::UsageTokens tokens;
  tokens.prompt = usage.prompt;
  tokens.cached = usage.cached;
  tokens.cache_write = usage.cache_write;
  tokens.cache_write_1h = usage.cache_write_1h;
  tokens.prompt_image = usage.prompt_image;
  tokens.prompt_audio = usage.prompt_audio;
  tokens.cached_audio = usage.cached_audio;
  tokens.completion = usage.completion;
  tokens.reasoning = usage.reasoning;
  tokens.completion_image = usage.completion_image;
  tokens.completion_audio = usage.completion_audio;
  tokens.web_searches = usage.web_searches;
  // Not told is none, in a record.
  for (std::int64_t* count :
       {&tokens.prompt, &tokens.cached, &tokens.cache_write, &tokens.cache_write_1h,
        &tokens.prompt_image, &tokens.prompt_audio, &tokens.cached_audio, &tokens.completion,
        &tokens.reasoning, &tokens.completion_image, &tokens.completion_audio,
        &tokens.web_searches}) {
    *count = std::max<std::int64_t>(*count, 0);
  }
  return tokens;
}

void fill_money(const Metered& metered, const MoneyTerms& money, UsageRecord& record) {
  const policy::Charge& charge = metered.charge;
  record.cost = charge.upstream;
  record.cost_prompt = charge.upstream_prompt;
  record.cost_completion = charge.upstream_completion;
  record.charge = charge.charged;
  record.shortfall = charge.shortfall;
  record.reserved = money.reserved == policy::kMoneyMax ? 0 : money.reserved;
  if (money.uses_own_key) record.byok_fee = charge.charged;
}

}  // namespace

UsageNotes::Text UsageNotes::keep(std::string_view text, std::size_t most) {
  const Text kept{.begin = static_cast<std::uint16_t>(texts_.size()),
                  .size = static_cast<std::uint16_t>(std::min(text.size(), most))};
  texts_.append(text.substr(0, kept.size));
  return kept;
}

void UsageNotes::note_app(std::string_view request_id, std::string_view referer,
                          std::string_view title) {
  request_id_ = keep(request_id, RecordLimits::kIdMax);
  referer_ = keep(referer, RecordLimits::kClientMax);
  title_ = keep(title, RecordLimits::kClientMax);
}

void UsageNotes::note_request(std::string_view model, std::string_view user,
                              std::string_view session) {
  model_ = keep(model, RecordLimits::kNameMax);
  user_ = keep(user, RecordLimits::kClientMax);
  session_ = keep(session, RecordLimits::kClientMax);
}

void UsageNotes::note_answer(std::string_view upstream_id, std::string_view native_finish_reason) {
  upstream_id_ = keep(upstream_id, RecordLimits::kNameMax);
  native_finish_ = keep(native_finish_reason, RecordLimits::kIdMax);
}

std::uint8_t UsageNotes::began(policy::EndpointId endpoint, bool is_byok, Instant now) {
  const std::uint32_t attempt = attempts_made_++;
  if (attempt >= attempts_.size()) return UsageRecord::kAttemptsMax;
  attempts_[attempt] = {.endpoint = endpoint, .started = now, .is_byok = is_byok};
  return static_cast<std::uint8_t>(attempt);
}

void UsageNotes::first_token(std::uint8_t attempt, Instant now) {
  if (attempt < attempts_.size()) attempts_[attempt].first_token = now;
}

void UsageNotes::broke(std::uint8_t attempt, policy::Nanodollars cost, std::string_view upstream_id,
                       Instant now) {
  if (attempt >= attempts_.size()) return;
  ended(attempt, AttemptOutcome::kFailedMidway, 200, now);
  attempts_[attempt].is_part = true;
  attempts_[attempt].cost = cost;
  attempts_[attempt].upstream_id = keep(upstream_id, RecordLimits::kNameMax);
}

void UsageNotes::ended(std::uint8_t attempt, AttemptOutcome outcome, int status, Instant now) {
  if (attempt >= attempts_.size() || attempts_[attempt].ended != kNever) return;
  attempts_[attempt].ended = now;
  attempts_[attempt].outcome = outcome;
  attempts_[attempt].status = static_cast<std::uint16_t>(status);
}

Instant UsageNotes::first_token_came() const {
  for (const Attempt& attempt : attempts_) {
    // Of several the first: the others carried on what it began.
    if (attempt.first_token != kNever) return attempt.first_token;
  }
  return kNever;
}

void UsageNotes::add_attempts(const policy::Catalogue& catalogue, const Metered& metered,
                              const MoneyTerms& money, Instant now, UsageRecord& record) const {
  policy::Nanodollars rest = metered.charge.upstream;
  for (const Attempt& attempt :
       std::span(attempts_).first(std::min<std::size_t>(attempts_made_, attempts_.size()))) {
    const policy::Endpoint& endpoint = catalogue.endpoint(attempt.endpoint);
    ledger::UsageAttempt out;
    out.endpoint = endpoint.tag;
    out.provider = catalogue.provider(endpoint.provider).slug;
    out.outcome = attempt.outcome;
    out.status = attempt.status;
    out.is_byok = attempt.is_byok;
    out.started = attempt.started - began_;
    out.latency = std::min({attempt.first_token, attempt.ended, now}) - attempt.started;
    const bool answered = attempt.outcome == AttemptOutcome::kSucceeded ||
                          attempt.outcome == AttemptOutcome::kFailedMidway ||
                          attempt.outcome == AttemptOutcome::kClientGone;
    if (attempt.is_part) {
      out.cost = attempt.cost;
      out.upstream_id = text(attempt.upstream_id);
      rest -= attempt.cost;
    } else if (answered) {
      out.cost = rest;
      out.upstream_id = text(upstream_id_);
    } else if (attempt.outcome == AttemptOutcome::kAmbiguous ||
               attempt.outcome == AttemptOutcome::kHedgedAway) {
      // It may have run, and then the provider asks for it; with an own key not the operator.
      const bool is_known = money.reserved != policy::kMoneyMax && !attempt.is_byok;
      out.cost = is_known ? money.reserved : 0;
      record.flags.is_ambiguous |= attempt.outcome == AttemptOutcome::kAmbiguous;
    }
    record.add_attempt(out);
  }
  record.attempts_made = attempts_made_;
}

UsageRecord UsageNotes::record(const policy::Catalogue& catalogue, const Metered& metered,
                               const MoneyTerms& money, const End& end) const {
  UsageRecord record;
  record.generation_id = end.generation_id;
  record.request_id = text(request_id_);
  record.key_id = end.key_id;
  record.workspace_id = end.workspace_id;
  record.organisation_id = end.organisation_id;
  record.user_id = text(user_);
  record.session_id = text(session_);
  record.app_referer = text(referer_);
  record.app_title = text(title_);
  record.api = api_name(end.kind);
  record.model_asked = text(model_);
  record.finish_reason = end.finish_reason;
  record.native_finish_reason = text(native_finish_);
  record.error_type = end.error_type;
  record.status = end.status;
  if (end.endpoint != policy::kNoId) {
    const policy::Endpoint& endpoint = catalogue.endpoint(end.endpoint);
    record.model_served = end.model_served;
    record.provider = catalogue.provider(endpoint.provider).slug;
    record.endpoint = endpoint.tag;
    record.upstream_id = text(upstream_id_);
    record.service_tier = name_of(endpoint.tier);
  }
  add_attempts(catalogue, metered, money, end.now, record);
  record.tokens = tokens_of(metered.measured.usage);
  fill_money(metered, money, record);
  record.price_version = end.price_version;
  record.began = began_wall_;
  record.total = end.now - began_;
  if (attempts_made_ > 0) record.queued = attempts_[0].started - began_;
  if (const Instant came = first_token_came(); came != kNever) record.first_token = came - began_;
  record.flags.is_streamed = end.is_streamed;
  record.flags.is_cancelled = end.is_cancelled;
  record.flags.is_estimated = metered.measured.is_estimated;
  record.flags.is_byok = money.uses_own_key;
  record.flags.is_clamped =
      metered.measured.is_clamped || metered.charge.is_clamped || metered.charge.is_corrected;
  record.flags.is_free =
      metered.charge.is_insured || (end.endpoint != policy::kNoId && record.cost == 0);
  return record;
}

void UsageNotes::fill_attempts(const policy::Catalogue& catalogue, Instant now,
                               std::span<RequestEvent::Attempt> attempts) const {
  const std::size_t made = std::min<std::size_t>(attempts_made_, attempts_.size());
  for (std::size_t i = 0; i < std::min(made, attempts.size()); ++i) {
    const policy::Endpoint& endpoint = catalogue.endpoint(attempts_[i].endpoint);
    attempts[i] = {.model = catalogue.model(endpoint.model).id,
                   .total = std::min(attempts_[i].ended, now) - attempts_[i].started};
  }
}

void UsageNotes::count(EndpointCounterTable& table, const Metered& metered, const End& end) const {
  for (const Attempt& attempt :
       std::span(attempts_).first(std::min<std::size_t>(attempts_made_, attempts_.size()))) {
    EndpointCounters& counters = table.at(attempt.endpoint);
    counters.attempts[static_cast<std::size_t>(attempt.outcome)].add();
    if (attempt.first_token != kNever) {
      counters.first_token.note(attempt.first_token - attempt.started);
    }
    if (attempt.outcome == AttemptOutcome::kSucceeded) {
      counters.answer.note(std::min(attempt.ended, end.now) - attempt.started);
    }
  }
  if (end.endpoint == policy::kNoId) return;
  EndpointCounters& counters = table.at(end.endpoint);
  if (end.error_type.empty() && !end.is_cancelled) {
    if (const Instant came = first_token_came(); came != kNever) {
      counters.request_first_token.note(came - began_);
    }
    counters.request_answer.note(end.now - began_);
  }
  const dialect::ChatUsage& usage = metered.measured.usage;
  counters.prompt_tokens.add(static_cast<std::uint64_t>(std::max<std::int64_t>(usage.prompt, 0)));
  counters.completion_tokens.add(
      static_cast<std::uint64_t>(std::max<std::int64_t>(usage.completion, 0)));
  counters.cost_nanodollars.add(static_cast<std::uint64_t>(metered.charge.upstream));
  counters.charged_nanodollars.add(static_cast<std::uint64_t>(metered.charge.charged));
}

}  // namespace leat::gateway
