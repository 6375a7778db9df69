// SPDX-License-Identifier: Apache-2.0
#include "gateway/metering.h"

#include <algorithm>

namespace leat::gateway {

namespace {

using dialect::ChatUsage;

std::int32_t as_count(std::uint64_t count) {
  return static_cast<std::int32_t>(std::min<std::uint64_t>(count, ChatUsage::kCountMax));
}

std::uint64_t tokens_in(std::uint64_t bytes) {
  return bytes / kBytesPerToken + (bytes % kBytesPerToken != 0 ? 1 : 0);
}

std::int32_t estimated_completion(const MeterFacts& facts) {
  const std::uint64_t events = facts.content_events;
  const std::uint64_t bytes = facts.content_bytes;
  // Nothing that has a length: each piece is a token at least.
  if (bytes == 0) return as_count(events);
  const bool is_one_a_token = bytes <= 6 * events && 2 * bytes >= 3 * events;
  return as_count(is_one_a_token ? events : tokens_in(bytes));
}

void clamp(std::int32_t& count, std::int64_t most, UsageMeasured& measured) {
  if (count <= most) return;
  count = static_cast<std::int32_t>(most);
  measured.is_clamped = true;
}

// Tokens that one answer can have.
std::int64_t answer_tokens_max(const MeterFacts& facts, const policy::Endpoint& endpoint) {
  if (facts.output_max >= 0) return facts.output_max;
  if (endpoint.completion_max != 0) return endpoint.completion_max;
  return endpoint.context != 0 ? endpoint.context : ChatUsage::kCountMax;
}

// What was not said, and what cannot be: an answer of nothing though words passed.
void fill_in(const MeterFacts& facts, UsageMeasured& measured) {
  ChatUsage& usage = measured.usage;
  const bool says_nothing = usage.prompt <= 0 && usage.completion <= 0;
  const bool passed = facts.content_bytes > 0 || facts.content_events > 0;
  if (usage.completion < 0 || (usage.completion == 0 && passed)) {
    usage.completion = facts.has_completion ? estimated_completion(facts) : 0;
    measured.is_estimated = facts.has_completion;
  }
  if (usage.prompt < 0 || (says_nothing && passed)) {
    // A total alone bounds the one and makes the other.
    if (usage.total > 0) usage.completion = std::min(usage.completion, usage.total);
    usage.prompt =
        usage.total > 0 ? usage.total - usage.completion : as_count(tokens_in(facts.prompt_bytes));
    measured.is_estimated = true;
  }
}

void clamp_to_possible(const MeterFacts& facts, const policy::Endpoint& endpoint,
                       UsageMeasured& measured) {
  ChatUsage& usage = measured.usage;
  if (!facts.has_media) {
    const auto bytes = static_cast<std::int64_t>(facts.prompt_bytes);
    clamp(usage.prompt, std::min<std::int64_t>(bytes + kTemplateTokensMax, ChatUsage::kCountMax),
          measured);
  }
  const std::int64_t each = answer_tokens_max(facts, endpoint);
  const std::int64_t answers = std::max<std::int64_t>(facts.answers, 1);
  const std::int64_t most =
      each > ChatUsage::kCountMax / answers ? ChatUsage::kCountMax : each * answers;
  clamp(usage.completion, most, measured);
}

// FNV-1a, a word at a time.
class Fingerprint {
 public:
  void add(std::uint64_t word) {
    for (int byte = 0; byte < 8; ++byte, word >>= 8) {
      hash_ = (hash_ ^ (word & 0xff)) * 0x100000001b3;
    }
  }
  void add(const policy::Prices& prices) {
    for (const policy::Picodollars price : prices.values) add(static_cast<std::uint64_t>(price));
  }
  std::uint64_t value() const { return hash_ != 0 ? hash_ : 1; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

// Whether anybody said what it costs, be that nothing.
bool has_price(const policy::Catalogue& catalogue, const policy::Endpoint& endpoint) {
  return endpoint.prices != policy::Prices() || !catalogue.overrides_of(endpoint).empty();
}

policy::ChargeUsage charge_usage(const UsageMeasured& measured) {
  const ChatUsage& usage = measured.usage;
  policy::ChargeUsage out;
  out.prompt = usage.prompt;
  out.cached = usage.cached;
  out.cached_audio = usage.cached_audio;
  out.cache_write = usage.cache_write;
  out.cache_write_1h = usage.cache_write_1h;
  out.prompt_audio = usage.prompt_audio;
  out.prompt_image_tokens = usage.prompt_image;
  out.completion = usage.completion;
  out.reasoning = usage.reasoning;
  out.completion_audio = usage.completion_audio;
  out.completion_image = usage.completion_image;
  out.web_searches = usage.web_searches;
  out.end = measured.end;
  return out;
}

}  // namespace

UsageMeasured measure(const MeterFacts& facts, const policy::Endpoint& endpoint) {
  UsageMeasured measured;
  measured.end = facts.end;
  if (!facts.was_executed) {
    measured.usage.prompt = measured.usage.completion = measured.usage.total = 0;
    return measured;
  }
  measured.usage = facts.usage;
  fill_in(facts, measured);
  clamp_to_possible(facts, endpoint, measured);
  ChatUsage& usage = measured.usage;
  if (usage.total < 0 || measured.is_estimated || measured.is_clamped) {
    usage.total = as_count(static_cast<std::uint64_t>(usage.prompt) +
                           static_cast<std::uint64_t>(usage.completion));
    bound_parts(usage);
  }
  return measured;
}

std::uint64_t price_version(const policy::Catalogue& catalogue) {
  Fingerprint print;
  for (const policy::Endpoint& endpoint : catalogue.endpoints()) {
    print.add(endpoint.identity);
    print.add(endpoint.prices);
    print.add(endpoint.is_free ? 1 : 0);
    for (const policy::PriceOverride& item : catalogue.overrides_of(endpoint)) {
      print.add(item.has_prompt_condition ? item.prompt_tokens_over + 1 : 0);
      print.add(std::uint64_t{item.utc_start} << 32 | std::uint64_t{item.utc_end} << 8 |
                item.utc_days);
      print.add(item.prices);
    }
  }
  return print.value();
}

Metered meter(const MeterFacts& facts, const policy::Catalogue& catalogue,
              const policy::Endpoint& endpoint, const MoneyTerms& money, WallTime admitted) {
  Metered out;
  out.measured = measure(facts, endpoint);
  const policy::UtcMoment moment = policy::UtcMoment::of(admitted);
  out.is_priced = has_price(catalogue, endpoint);
  if (!out.is_priced || !facts.was_executed) return out;
  const policy::Prices prices =
      policy::prices_at(endpoint.prices, catalogue.overrides_of(endpoint),
                        static_cast<std::uint64_t>(out.measured.usage.prompt), moment);
  out.charge = policy::charge_of(prices, charge_usage(out.measured), money.terms,
                                 money.uses_own_key, money.reserved);
  out.cost.total = out.charge.charged;
  out.cost.upstream_prompt = out.charge.upstream_prompt;
  out.cost.upstream_completion = out.charge.upstream_completion;
  out.cost.is_byok = money.uses_own_key;
  if (money.uses_own_key) out.cost.upstream_total = out.charge.upstream;
  return out;
}

Metered waived(const Metered& metered) {
  Metered out = metered;
  out.measured.end = policy::AnswerEnd::kError;
  out.charge.charged = out.charge.shortfall = 0;
  out.charge.is_clamped = false;
  out.charge.is_insured = true;
  if (out.is_priced) out.cost.total = 0;
  return out;
}

Metered together(const Metered& first, const Metered& second, const MoneyTerms& money) {
  Metered both = second;
  both.measured.usage = sum(first.measured.usage, second.measured.usage);
  both.measured.is_estimated |= first.measured.is_estimated;
  both.measured.is_clamped |= first.measured.is_clamped;
  both.is_priced = first.is_priced && second.is_priced;
  policy::Charge& charge = both.charge;
  charge.upstream += first.charge.upstream;
  charge.upstream_prompt += first.charge.upstream_prompt;
  charge.upstream_completion += first.charge.upstream_completion;
  charge.shortfall += first.charge.shortfall;
  charge.charged += first.charge.charged;
  if (charge.charged > money.reserved) {
    charge.shortfall += charge.charged - money.reserved;
    charge.charged = money.reserved;
  }
  charge.is_insured = first.charge.is_insured && second.charge.is_insured;
  charge.is_clamped = charge.shortfall > 0;
  charge.is_corrected |= first.charge.is_corrected;
  both.cost = {};
  if (!both.is_priced) return both;
  both.cost.total = charge.charged;
  both.cost.upstream_prompt = charge.upstream_prompt;
  both.cost.upstream_completion = charge.upstream_completion;
  both.cost.is_byok = money.uses_own_key;
  if (money.uses_own_key) both.cost.upstream_total = charge.upstream;
  return both;
}

}  // namespace leat::gateway
