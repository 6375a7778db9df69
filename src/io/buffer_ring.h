// SPDX-License-Identifier: Apache-2.0
// BufferRing: the memory that multishot receives fill. One per ring, registered with it, shared by
// all its sockets; a received slice goes back as soon as its handler has returned.
//
// Incremental (kernel 6.12): few large buffers, each filled slice by slice, so that 250 bytes cost
// 250 bytes. The offset of a slice is not in its completion: it is the sum of those before it, so
// every completion that carries a buffer must pass take(), in order, whoever it was for.
// Plain: many small buffers, each used once and given back whole.
//
//   incremental:  | taken | taken | next slice ->      free         |   one buffer
//                 0               offsets_[id]                 buffer_size
//
// Used from the ring's thread only. Private to io.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "io/mapping.h"

namespace leat::io {

class BufferRing {
 public:
  enum class Mode : std::uint8_t { kIncremental, kPlain };
  struct Options {
    Mode mode = Mode::kIncremental;
    std::uint32_t buffer_count = 0;  // a power of two, at most 32768
    std::uint32_t buffer_size = 0;   // bytes
    std::uint16_t group = 0;
    HugePages huge_pages = HugePages::kUnasked;
  };
  struct Slice {
    std::span<char> bytes;
    std::uint16_t buffer = 0;
    bool is_last = false;  // the kernel will put nothing more into this buffer
  };

  BufferRing() = default;
  ~BufferRing();
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;

  // Registers with `ring`. The memory must outlive the ring's use of it: destroy the ring first.
  Result<bool> open(io_uring& ring, const Options& options);

  Mode mode() const { return options_.mode; }
  std::uint32_t buffer_count() const { return options_.buffer_count; }
  std::uint16_t group() const { return options_.group; }

  // The bytes of a completion that has IORING_CQE_F_BUFFER; valid until release().
  Slice take(const io_uring_cqe& completion);
  // What take() will give for completions that are still in the queue, asked in their order.
  class Ahead {
   public:
    explicit Ahead(const BufferRing& ring) : ring_(ring) {}
    std::span<const char> next(const io_uring_cqe& completion);

   private:
    const BufferRing& ring_;
    std::uint32_t buffer_ = UINT32_MAX;
    std::uint32_t offset_ = 0;  // of its next slice
  };
  // The bytes are no longer used. The kernel sees the buffer again after publish().
  void release(const Slice& slice);
  void publish();

 private:
  void give(std::uint16_t buffer);
  char* memory_of(std::uint16_t buffer) const {
    return static_cast<char*>(memory_.get()) + std::size_t{buffer} * options_.buffer_size;
  }

  Options options_;
  Mapping entries_;  // io_uring_buf_ring, shared with the kernel
  Mapping memory_;
  std::vector<std::uint32_t> offsets_;  // by buffer: where the kernel goes on filling
  int unpublished_ = 0;
};

}  // namespace leat::io
