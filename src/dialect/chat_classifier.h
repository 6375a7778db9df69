// SPDX-License-Identifier: Apache-2.0
// ChatClassifier: classify() for the events of one stream. A provider spells all its content events
// alike but for the words said, so an event that has the same bytes before and behind them as the
// last content event is known without being read again: its words are scanned, the rest compared.
// Always says what classify() says. Fixed size; one per stream.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dialect/openai_stream.h"

namespace leat::dialect {

class ChatClassifier {
 public:
  // As classify(data).
  ChatEvent classify(std::string_view data);
  // Another stream begins.
  void reset() { before_size_ = behind_size_ = 0; }

 private:
  bool is_like_last(std::string_view data) const;
  void remember(std::string_view data, std::string_view spoken);

  // Room for what surrounds the words: 180 to 300 bytes with the providers of provider-formats.md.
  // What does not fit is read each time.
  static constexpr std::size_t kKeptMax = 380;

  Speech speech_ = Speech::kNothing;  // of what is remembered
  std::uint16_t before_size_ = 0;     // 0: nothing is remembered
  std::uint16_t behind_size_ = 0;
  std::array<char, kKeptMax> kept_;  // what stands before the words, then what stands behind
};

}  // namespace leat::dialect
