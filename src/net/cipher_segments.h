// SPDX-License-Identifier: Apache-2.0
// CipherSegments: lets a TLS session write its records straight into the turn's arena, as segments
// of the stream that will send them.
#pragma once

#include "net/segments.h"
#include "tls/session.h"

namespace leat::net {

class CipherSegments final : public tls::CipherOut {
 public:
  CipherSegments(shard::TurnArena& arena, SegmentList& segments)
      : arena_(arena), segments_(segments) {}

  char* extend(std::size_t size) override {
    char* place = arena_.allocate(size);
    segments_.append(arena_, place, size, nullptr);
    return place;
  }

 private:
  shard::TurnArena& arena_;
  SegmentList& segments_;
};

}  // namespace leat::net
