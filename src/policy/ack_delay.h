// SPDX-License-Identifier: Apache-2.0
// AckDelay, AckWatch: whether the kernel may put off the acknowledgements of a provider's events
// (Io::delay_acks). Two events for one acknowledgement are less work for both sides, but a sender
// that has Nagle's algorithm on (RFC 896) writes no small segment while one is not acknowledged:
// its next event then waits for the kernel's timer, 40 ms. Pure: what the kernel says and the time
// come in as arguments.
//
// How such a provider is told from others: the kernel leaves off delaying when its timer had to
// send an acknowledgement. After the first event of a delayed stream a sender with Nagle's
// algorithm always lets it come to that; any other does only where its next event takes longer
// than the timer. So one stream that still delays when the second event is there proves the
// provider not to wait, and one that does not costs it one event that is late.
#pragma once

#include <cstdint>

#include "base/instant.h"

namespace leat::policy {

// What one shard knows of one provider.
class AckDelay {
 public:
  // Of a provider of which nothing is known yet: so many streams find out, then it has its rest.
  static constexpr std::uint32_t kTriesMax = 4;
  // Of one that was proven: so many in a row left off. It has changed, or its events come so
  // seldom that delaying saves nothing.
  static constexpr std::uint32_t kMissesMax = 32;
  static constexpr Duration kRest = seconds(3'600);
  // After which the end of a try is not awaited any more: its stream is over.
  static constexpr Duration kTryTime = seconds(10);

  // Whether a stream may delay from here on; if so it is counted as a try.
  bool may_begin(Instant now);
  // Two events of it came for one acknowledgement.
  void kept();
  // It left off first.
  void missed(Instant now);

  bool is_proven() const { return is_proven_; }
  // How often it was given up for kRest.
  std::uint64_t rests() const { return rests_; }

 private:
  void rest(Instant now);

  Instant rests_until_{};
  Instant last_try_{};
  std::uint64_t rests_ = 0;
  std::uint32_t tries_ = 0;   // not proven: begun since the last rest, less those without an end
  std::uint32_t misses_ = 0;  // in a row
  bool is_proven_ = false;
};

enum class AckStep : std::uint8_t {
  kNothing,
  kDelay,  // tell the kernel to delay
  kLook,   // ask the kernel whether it still does, then call looked()
};

// One running stream: told of each receive of it from its third event with content on.
class AckWatch {
 public:
  // kAuto asks the provider's AckDelay, kAlways nobody.
  enum class Mode : std::uint8_t { kAuto, kAlways };

  // Something was received; `bytes`: of the whole stream so far.
  AckStep on_receive(AckDelay& provider, Mode mode, std::uint64_t bytes, Instant now);
  // What kLook found. kDelay: it is to be told again. Whether it was the proof: is_kept().
  AckStep looked(AckDelay& provider, Mode mode, bool is_delaying, Instant now);
  // The stream has delayed and been seen to.
  bool is_kept() const { return is_kept_; }

 private:
  // Looking and telling are system calls: rare enough to cost an event next to nothing.
  static constexpr std::uint8_t kLookEvery = 32;
  // The first may have been acknowledged before the kernel was told, the second has not.
  static constexpr std::uint8_t kProofReceives = 3;
  // A sender with Nagle's algorithm does write a full segment; only events that come in one
  // smaller than any prove something.
  static constexpr std::uint64_t kSmallMax = 1'000;

  AckStep begin(AckDelay& provider, Mode mode, Instant now);

  std::uint64_t bytes_ = 0;  // of the stream at the last receive
  std::uint8_t left_ = 1;    // receives until something is done
  bool is_trying_ = false;
  bool is_small_ = false;  // all that the try brought so far
  bool is_kept_ = false;
};

}  // namespace leat::policy
