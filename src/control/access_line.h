// SPDX-License-Identifier: Apache-2.0
// An access log's line of a request that ended: JSON or logfmt, the same keys in both. What a peer
// named - user, session, app, models, ids - is escaped so that it can end no line and begin no key,
// and cut at a record's bounds. No content, no secret, no header, no path that a client made up.
#pragma once

#include <cstdint>
#include <string>

#include "gateway/request_event.h"
#include "leat/options.h"

namespace leat::control {

// Appends the line, with its end. REQUIRES: not kOff.
void append_access_line(const gateway::RequestEvent& event, AccessFormat format, std::string& out);

// The line that stands where `lines` of them are missing.
std::string access_gap_line(std::uint64_t lines, AccessFormat format);

}  // namespace leat::control
