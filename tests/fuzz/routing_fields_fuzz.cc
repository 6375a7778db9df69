// SPDX-License-Identifier: Apache-2.0
// The input is a request body. Whatever JSON it is: reading what it asks of the router stays within
// its bytes and the record's bounds, names a field when it refuses, and what goes upstream for an
// endpoint full of quirks is JSON without the router's keys.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "../unit/proto/json_reference.h"
#include "base/check.h"
#include "dialect/openai_request.h"
#include "dialect/prompt_input.h"
#include "dialect/request_headers.h"
#include "dialect/routing_fields.h"
#include "dialect/wait_time.h"

namespace {

using namespace leat::dialect;

// `fields`: null if they were refused.
void check_shape(const leat::proto::JsonScanner& scanner, std::string_view body,
                 const RoutingFields* fields) {
  ChatRequest request;
  if (read_chat_request(scanner, body, request)) return;
  EndpointShape shape = {.model = "up",
                         .max_tokens_key = MaxTokensKey::kMaxCompletionTokens,
                         .reasoning_key = ReasoningKey::kReasoningEffort,
                         .seed_key = "random_seed",
                         .tool_choice_required = "any",
                         .takes_empty_tools = false,
                         .messages = {.takes_developer_role = false,
                                      .reasoning = ReasoningReplay::kReasoningContent,
                                      .is_strict = true,
                                      .takes_strict_tools = false}};
  shape.dropped = {Parameter::kLogprobs, Parameter::kStop};
  std::string lists;
  if (fields != nullptr) {
    request.reasoning = fields->reasoning;
    request.extras = fields->extras;
    lists.resize(respelling_size(scanner, request, shape));
    leat::proto::JsonWriter writer(lists);
    LEAT_CHECK(respell_lists(scanner, body, request, writer, shape));
  }
  leat::proto::SpliceList pieces(body);
  if (!shape_chat_request(scanner, body, request, shape, pieces)) return;
  std::string text;
  for (const std::string_view piece : pieces.pieces()) text += piece;
  LEAT_CHECK(leat::proto::reference::verdict(text) != leat::proto::reference::Verdict::kRejects);
  leat::proto::JsonScanner again;
  if (again.scan(text, true) != leat::proto::JsonStatus::kDone) return;
  LEAT_CHECK(!again.has(leat::proto::TopKey::kProvider));
  LEAT_CHECK(!again.has(leat::proto::TopKey::kSessionId));
  LEAT_CHECK(!again.has(leat::proto::TopKey::kStop));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string body(reinterpret_cast<const char*>(data), size);
  read_wait_ms(body, 1'767'323'045'000);
  leat::proto::JsonScanner scanner;
  if (scanner.scan(body, true) != leat::proto::JsonStatus::kDone) return 0;
  const auto fields = std::make_unique<RoutingFields>();
  RoutingFault fault;
  const bool is_good = read_routing_fields(scanner, body, *fields, fault);
  if (is_good) {
    LEAT_CHECK(fields->models().size() <= kModelsMax);
    for (const ModelName& model : fields->models()) LEAT_CHECK(!model.full.empty());
    for (const std::string_view slug : fields->provider.order()) LEAT_CHECK(!slug.empty());
    sticky_key(*fields, "");
  } else {
    LEAT_CHECK(!fault.param().empty() && fault.message()[0] != '\0');
  }
  PromptInput input;
  if (!read_embeddings_input(scanner, body, input, fault)) LEAT_CHECK(!fault.param().empty());
  check_shape(scanner, body, is_good ? fields.get() : nullptr);
  return 0;
}
