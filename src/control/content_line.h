// SPDX-License-Identifier: Apache-2.0
// A record of content as one line of JSON: what is told of the request, what it said and what it
// was answered, redacted. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "gateway/content_record.h"

namespace leat::control {

// Appends the line, with its end. `redact`: bits by RedactKind. A request or an answer that is no
// JSON, and so cannot be redacted for certain, is left out, and the line says so.
void append_content_line(const gateway::ContentRecord& record, std::uint32_t redact,
                         std::string& out);

}  // namespace leat::control
