// SPDX-License-Identifier: Apache-2.0
// sample_record(): a record in which every field holds something of its own, so that a field that
// is lost or exchanged shows.
#pragma once

#include "ledger/record.h"

namespace leat::ledger {

inline UsageRecord sample_record() {
  UsageRecord record;
  record.generation_id = "gen-1";
  record.request_id = "req-2";
  record.key_id = "key-3";
  record.organisation_id = "org-4";
  record.workspace_id = "ws-5";
  record.user_id = "user-6";
  record.session_id = "session-7";
  record.app_referer = "https://app.example/8";
  record.app_title = "Title 9";
  record.api = "chat";
  record.model_asked = "some/model:nitro";
  record.model_served = "some/model";
  record.provider = "one";
  record.endpoint = "one/fp8";
  record.upstream_id = "chatcmpl-10";
  record.service_tier = "flex";
  record.finish_reason = "length";
  record.native_finish_reason = "max_tokens";
  record.error_type = "provider_unavailable";
  record.add_attempt({.endpoint = "two/bf16",
                      .provider = "two",
                      .upstream_id = "up-11",
                      .outcome = AttemptOutcome::kAmbiguous,
                      .status = 0,
                      .is_byok = true,
                      .started = milliseconds(1),
                      .latency = seconds(12),
                      .cost = 13'000});
  record.add_attempt({.endpoint = "one/fp8",
                      .provider = "one",
                      .upstream_id = "chatcmpl-10",
                      .outcome = AttemptOutcome::kSucceeded,
                      .status = 200,
                      .is_byok = false,
                      .started = seconds(14),
                      .latency = milliseconds(315),
                      .cost = 1'600'000});
  record.status = 200;
  record.tokens = {.prompt = 1'000'017,
                   .cached = 18,
                   .cache_write = 19,
                   .cache_write_1h = 20,
                   .prompt_image = 21,
                   .prompt_audio = 22,
                   .cached_audio = 23,
                   .completion = 2'400,
                   .reasoning = 25,
                   .completion_image = 26,
                   .completion_audio = 27,
                   .images = 28,
                   .media_completion = 29,
                   .web_searches = 30};
  record.price_version = 0xfedc'ba98'7654'3210;
  record.cost = 1'600'000;
  record.cost_prompt = 1'000'000;
  record.cost_completion = 600'000;
  record.charge = 1'700'031;
  record.reserved = 5'000'000'000'000;
  record.shortfall = 33;
  record.byok_fee = 34;
  record.began = {1'790'000'000'123'456'789};
  record.queued = microseconds(35);
  record.first_token = milliseconds(360);
  record.total = seconds(37);
  record.flags = {.is_streamed = true, .is_estimated = true, .is_byok = true, .is_recovered = true};
  return record;
}

}  // namespace leat::ledger
