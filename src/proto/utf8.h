// SPDX-License-Identifier: Apache-2.0
// UTF-8 (RFC 3629): is a run of bytes well-formed? No overlong forms, no surrogates, nothing beyond
// U+10FFFF. Pure functions; any alignment; nothing beyond `bytes` is read.
#pragma once

#include <cstddef>
#include <string_view>

namespace leat::proto {

// Offset of the first sequence that is malformed or not complete, or bytes.size().
std::size_t utf8_fault(std::string_view bytes);

// How many of `bytes` remain if a sequence that the end may have cut is left out: what is cut off
// is at most three bytes, and is judged when more have come.
std::size_t utf8_whole_size(std::string_view bytes);

}  // namespace leat::proto
