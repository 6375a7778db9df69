// SPDX-License-Identifier: Apache-2.0
#include "mock/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <vector>

#include "wire/json.h"
#include "wire/words.h"

namespace leat::tools {
namespace {

std::string model_list(const std::vector<std::string>& models) {
  std::string list = R"({"object":"list","data":[)";
  for (const std::string& model : models) {
    if (list.back() == '}') list += ',';
    list += fmt::format(R"({{"id":{},"object":"model","created":1721172741,"owned_by":"system"}})",
                        json_text(model));
  }
  return list + "]}";
}

// What the request asks for. No seed, model or tokens where it does not say.
AnswerFacts read_request(const MockOptions& options, std::string_view body, bool& streamed) {
  AnswerFacts facts{.tokens = options.tokens, .event_bytes = options.event_bytes};
  Members members(body);
  std::string_view key;
  std::string_view value;
  while (members.next(key, value)) {
    if (key == "messages") {
      facts.seed = seed_of(value);
      facts.prompt_tokens = value.size() / 4 + 1;
    } else if (key == "model" && value.size() > 2) {
      facts.model = value.substr(1, value.size() - 2);
    } else if (key == "stream") {
      streamed = value == "true";
    } else if ((key == "max_tokens" || key == "max_completion_tokens") && value != "null") {
      facts.tokens = whole_number(value).value_or(0);
      facts.cut_by_limit = true;
    } else if (key == "stream_options") {
      facts.include_usage = member(value, "include_usage") == "true";
    }
  }
  return facts;
}

void plan_faults(MockContext& context, AnswerFacts& facts, Plan& plan) {
  const MockOptions& options = context.options;
  Rng& rng = context.rng;
  if (rng.chance(options.corrupt_rate)) {
    facts.wrong_word = rng.below(facts.tokens);
    ++context.tally.corrupted;
  }
  if (!plan.streamed) return;
  if (rng.chance(options.cut_rate)) {
    plan.stop_at_token = rng.below(facts.tokens);
  } else if (rng.chance(options.stream_error_rate)) {
    plan.stop_at_token = rng.below(facts.tokens);
    plan.stop_by_error_event = true;
  }
}

void refuse(Plan& plan, int status) {
  plan.status = status;
  plan.body = error_body(status);
}

void plan_chat(MockContext& context, std::string_view body, Plan& plan) {
  const MockOptions& options = context.options;
  ++context.tally.requests;
  AnswerFacts facts = read_request(options, body, plan.streamed);
  plan.seed = facts.seed;
  if (facts.prompt_tokens == 0 || facts.model.empty() || facts.tokens == 0) {
    ++context.tally.broken_requests;
    refuse(plan, 400);
    return;
  }
  if (context.rng.chance(options.error_rate)) {
    ++context.tally.errors_sent;
    refuse(plan, options.error_statuses[context.rng.below(options.error_statuses.size())]);
    return;
  }
  facts.created = static_cast<std::int64_t>(time(nullptr));
  plan_faults(context, facts, plan);
  plan.answer.emplace(facts);
  ++context.tally.answering;
  plan.due = context.loop.now() + options.first_token_delay;
  if (!plan.streamed && options.tokens_per_s > 0) {
    const double rest_s = static_cast<double>(facts.tokens - 1) / options.tokens_per_s;
    plan.due = plan.due + nanoseconds(static_cast<std::int64_t>(rest_s * 1e9));
  }
}

}  // namespace

Plan plan_answer(MockContext& context, std::string_view method, std::string_view target,
                 std::string_view body) {
  const std::string_view path = target.substr(0, target.find('?'));
  Plan plan;
  if (method == "POST" && path.ends_with("/chat/completions")) {
    plan_chat(context, body, plan);
  } else if (method == "GET" && path.ends_with("/models")) {
    plan.body = model_list(context.options.models);
  } else if (method == "GET" && path == "/stats") {
    plan.body = context.tally.to_json();
  } else {
    refuse(plan, 404);
  }
  return plan;
}

void append_group(MockContext& context, Plan& plan, std::string& out) {
  const MockOptions& options = context.options;
  const std::uint64_t start = plan.next_token;
  const std::uint64_t end =
      std::min({start + options.events_per_write, plan.answer->tokens(), plan.stop_at_token});
  for (; plan.next_token < end; ++plan.next_token) plan.answer->append_token(plan.next_token, out);
  context.tally.tokens += end - start;
  if (options.tokens_per_s <= 0) return;
  const double group = static_cast<double>(options.events_per_write);
  plan.due = plan.due + nanoseconds(static_cast<std::int64_t>(1e9 * group / options.tokens_per_s));
}

void append_last(MockContext& context, const Plan& plan, std::string& out) {
  if (plan.is_stopped()) {
    out += "data: " + error_body(500) + "\n\n";
    ++context.tally.errors_sent;
  } else {
    plan.answer->append_end(out);
  }
}

void finish(MockContext& context, Plan& plan) {
  if (plan.is_cut()) {
    ++context.tally.cuts;
  } else if (!plan.is_stopped()) {
    ++context.tally.answered;
  }
  abandon(context, plan);
}

void abandon(MockContext& context, Plan& plan) {
  if (plan.answer) --context.tally.answering;
  plan.answer.reset();
}

void note_gone(MockContext& context, const Plan& plan) {
  if (!plan.answer) return;
  ++context.tally.clients_gone;
  context.tally.log_gone(plan.seed, context.loop.now());
}

}  // namespace leat::tools
