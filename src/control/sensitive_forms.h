// SPDX-License-Identifier: Apache-2.0
// Where a text has something of a form that is not to be logged (redaction.h). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "leat/options.h"

namespace leat::control {

struct SensitivePlace {
  std::size_t begin = 0;
  std::size_t end = 0;
  RedactKind kind = RedactKind::kEmail;
};

// By where they begin, the longer first; they may overlap. `kinds`: bits by RedactKind. The text is
// plain: what was escaped is not any more, but for an escape in front of a word, since text is
// often escaped twice.
std::vector<SensitivePlace> find_sensitive(std::string_view text, std::uint32_t kinds);

}  // namespace leat::control
