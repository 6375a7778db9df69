// SPDX-License-Identifier: Apache-2.0
// RequestKind: what is asked of a model. All kinds take the same way through planning, attempts and
// limits; they differ in what the body must hold, in the provider's path and in the answer's shape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace leat::gateway {

// IF YOU ADD A VALUE: add its path to request_path(), its name to api_name().
enum class RequestKind : std::uint8_t {
  kChat,
  kText,  // legacy text completions: a `prompt` to go on from
  kEmbeddings,
};
inline constexpr std::size_t kRequestKinds = 3;

// Behind a provider's base URL, and behind `/v1` of our own.
constexpr std::string_view request_path(RequestKind kind) {
  switch (kind) {
    case RequestKind::kText:
      return "/completions";
    case RequestKind::kEmbeddings:
      return "/embeddings";
    case RequestKind::kChat:
      break;
  }
  return "/chat/completions";
}

// As usage records have it.
constexpr std::string_view api_name(RequestKind kind) {
  switch (kind) {
    case RequestKind::kText:
      return "completions";
    case RequestKind::kEmbeddings:
      return "embeddings";
    case RequestKind::kChat:
      break;
  }
  return "chat";
}

}  // namespace leat::gateway
