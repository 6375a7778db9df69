// SPDX-License-Identifier: Apache-2.0
// The input is the data of one event of a provider. Reading it never leaves its bytes; if it was
// JSON that the strict reference accepts, what the OpenRouter face makes of it is too.
#include <cstdint>
#include <string>
#include <string_view>

#include "../unit/proto/json_reference.h"
#include "base/check.h"
#include "dialect/openai_error.h"
#include "dialect/openai_stream.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using leat::dialect::Normalised;
  using leat::proto::reference::Verdict;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const leat::dialect::ChatEvent event = leat::dialect::classify(text);
  leat::dialect::ProviderFailure failure;
  leat::dialect::read_failure(500, text, failure);
  leat::dialect::read_failure(event.error, failure);
  leat::dialect::classify_completion(text);
  leat::dialect::ChatNormaliser normaliser({"gen-1", "m", "p", 1});
  std::string room(leat::dialect::normalised_size_max(text.size()), '\0');
  leat::proto::JsonWriter out(room);
  const Normalised result = normaliser.write_chunk(text, event, out);
  LEAT_CHECK(result != Normalised::kNoRoom);
  if (result != Normalised::kWritten) return 0;
  LEAT_CHECK(out.text().starts_with("data: ") && out.text().ends_with("\n\n"));
  if (leat::proto::reference::verdict(text) != Verdict::kAccepts) return 0;
  const std::string_view json = out.text().substr(6, out.text().size() - 8);
  LEAT_CHECK(leat::proto::reference::verdict(json) != Verdict::kRejects);
  return 0;
}
