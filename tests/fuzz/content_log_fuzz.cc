// SPDX-License-Identifier: Apache-2.0
// The first two bytes are a bound, the rest is what a client or a provider sent. Whatever it is, an
// excerpt keeps the bound; of JSON it is JSON, cut or not and wherever the input breaks off, and
// stays so when it is redacted. A whole card number that stands alone in it is found.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "control/redaction.h"
#include "dialect/content_excerpt.h"
#include "proto/json_scan.h"

namespace {

constexpr std::uint32_t kAll = (1U << leat::kRedactKinds) - 1;

bool is_object(std::string_view json) {
  leat::proto::JsonLimits limits;
  limits.keys_max = limits.tokens_max = UINT32_MAX / 2;
  limits.number_bytes_max = UINT32_MAX / 2;
  leat::proto::JsonScanner scanner(limits);
  return scanner.scan(json, true) == leat::proto::JsonStatus::kDone;
}

std::string redacted(std::string_view json) {
  std::string out;
  leat::control::append_redacted_json(json, kAll, out);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t bound = data[0] + 256u * data[1] + 2;
  const std::string_view sent(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string excerpt;
  const auto made = leat::dialect::append_excerpt(sent, bound, excerpt);
  LEAT_CHECK(excerpt.size() <= bound);
  const std::string safe = redacted(excerpt);
  if (is_object(sent)) {
    LEAT_CHECK(is_object(excerpt) && is_object(safe));
    std::string broken_off;
    leat::dialect::append_excerpt(sent.substr(0, sent.size() * data[0] / 256), SIZE_MAX / 2,
                                  broken_off);
    LEAT_CHECK(is_object(redacted(broken_off)) || broken_off.empty());
  }
  if (!made.is_cut && made.data_left_out == 0 && is_object(sent)) {
    // Nothing that could be part of it stands beside it.
    const std::string with =
        std::string("{\"card\":\"4111 1111 1111 1111\",\"rest\":") + excerpt + "}";
    LEAT_CHECK(redacted(with).starts_with("{\"card\":\"[redacted:card]\""));
  }
  std::string text;
  leat::control::append_redacted(sent, kAll, text);
  return 0;
}
