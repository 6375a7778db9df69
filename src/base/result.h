// SPDX-License-Identifier: Apache-2.0
// Errors as data: what happened, who failed, whether another try may help. An operating failure
// travels as Result<T> to the first caller that can act on it; an expected outcome (end of stream,
// limit reached) is part of the value instead; our own bugs are LEAT_CHECK.
#pragma once

#include <cstdint>
#include <expected>
#include <utility>

namespace leat {

enum class Code : std::uint8_t {
  kInvalid,      // the input is malformed
  kTooLarge,     // a limit on size was exceeded
  kTimedOut,     // a deadline passed
  kRefused,      // nobody listens, or the peer said no
  kReset,        // the connection broke
  kClosed,       // the peer ended the connection in order
  kProtocol,     // the peer broke its protocol
  kUntrusted,    // certificate or name not accepted
  kNotFound,     // no such name
  kOverloaded,   // out of a bounded resource
  kUnsupported,  // this machine or build does not offer it
  kInternal,     // ours
};

// Who failed: the client's side, the provider's side, or ourselves.
enum class Source : std::uint8_t { kDownstream, kUpstream, kInternal };

// Whether trying again may help. kReusedOnly: only because the connection was a reused one.
// kNotExecuted: the peer says that it did nothing, as if it had never been asked.
enum class Retry : std::uint8_t { kNever, kOtherUpstream, kReusedOnly, kNotExecuted };

// 16 bytes, trivially copyable, never allocates. `what` points at static text.
struct Error {
  Code code = Code::kInternal;
  Source source = Source::kInternal;
  Retry retry = Retry::kNever;
  std::int32_t os_errno = 0;
  const char* what = "";
};
static_assert(sizeof(Error) == 16);

// The derived class makes a dropped result a warning; std::expected itself does not (gcc 12).
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

inline std::unexpected<Error> fail(Error error) {
  return std::unexpected<Error>(error);
}

}  // namespace leat

#define LEAT_CONCAT_INNER(a, b) a##b
#define LEAT_CONCAT(a, b) LEAT_CONCAT_INNER(a, b)

// LEAT_TRY(auto value, expression): binds the value, or returns the error from this function.
#define LEAT_TRY(declaration, ...) \
  LEAT_TRY_IMPL(LEAT_CONCAT(leat_try_, __COUNTER__), declaration, __VA_ARGS__)
#define LEAT_TRY_IMPL(name, declaration, ...) \
  auto name = (__VA_ARGS__);                  \
  if (!name) [[unlikely]]                     \
    return ::leat::fail(name.error());        \
  declaration = std::move(*name)

// LEAT_TRY_VOID(expression): the same where there is no value.
#define LEAT_TRY_VOID(...)                          \
  do {                                              \
    auto leat_try_result = (__VA_ARGS__);           \
    if (!leat_try_result) [[unlikely]]              \
      return ::leat::fail(leat_try_result.error()); \
  } while (false)
