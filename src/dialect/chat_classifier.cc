// SPDX-License-Identifier: Apache-2.0
#include "dialect/chat_classifier.h"

#include <cstring>

#include "proto/json_cursor.h"

namespace leat::dialect {

ChatEvent ChatClassifier::classify(std::string_view data) {
  if (is_like_last(data)) {
    ChatEvent event;
    event.kind = ChatKind::kContent;
    event.has_content = true;
    event.content_bytes =
        static_cast<std::uint32_t>(data.size() - std::size_t{before_size_} - behind_size_);
    event.speech = speech_;
    event.spoken = data.substr(before_size_, data.size() - before_size_ - behind_size_);
    return event;
  }
  const ChatEvent event = dialect::classify(data);
  // What carries more than words is rare, and is read.
  const bool is_plain = !event.spoken.empty() && event.content_bytes == event.spoken.size();
  if (event.kind == ChatKind::kContent && !event.has_usage && is_plain) {
    remember(data, event.spoken);
    speech_ = event.speech;
  }
  return event;
}

// The words may be any JSON string but the empty one, which says nothing. Their quotes belong to
// what is compared.
bool ChatClassifier::is_like_last(std::string_view data) const {
  const std::size_t around = std::size_t{before_size_} + behind_size_;
  if (before_size_ == 0 || data.size() <= around) return false;
  if (std::memcmp(data.data(), kept_.data(), before_size_) != 0) return false;
  const char* const behind = data.data() + data.size() - behind_size_;
  if (std::memcmp(behind, kept_.data() + before_size_, behind_size_) != 0) return false;
  // The string that begins there must end there: no quote in the words, no backslash before it.
  return proto::skip_json_string(data.data() + before_size_ - 1, behind + 1) == behind + 1;
}

void ChatClassifier::remember(std::string_view data, std::string_view spoken) {
  const auto before = static_cast<std::size_t>(spoken.data() - data.data());
  const std::size_t behind = data.size() - before - spoken.size();
  before_size_ = behind_size_ = 0;
  if (before + behind > kKeptMax) return;
  std::memcpy(kept_.data(), data.data(), before);
  std::memcpy(kept_.data() + before, spoken.data() + spoken.size(), behind);
  before_size_ = static_cast<std::uint16_t>(before);
  behind_size_ = static_cast<std::uint16_t>(behind);
}

}  // namespace leat::dialect
