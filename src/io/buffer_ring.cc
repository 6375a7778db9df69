// SPDX-License-Identifier: Apache-2.0
#include "io/buffer_ring.h"

#include <algorithm>
#include <bit>
#include <cerrno>

#include "base/check.h"
#include "io/uring_abi.h"

namespace leat::io {

BufferRing::~BufferRing() = default;

Result<bool> BufferRing::open(io_uring& ring, const Options& options) {
  LEAT_CHECK(std::has_single_bit(options.buffer_count) && options.buffer_count <= 32768);
  LEAT_CHECK(options.buffer_size > 0);
  options_ = options;
  entries_ = Mapping::take(options.buffer_count * sizeof(io_uring_buf));
  memory_ =
      Mapping::take(std::size_t{options.buffer_count} * options.buffer_size, options.huge_pages);
  if (!entries_ || !memory_) {
    return fail(
        {.code = Code::kOverloaded, .os_errno = ENOMEM, .what = "no memory to receive into"});
  }
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(entries_.get());
  registration.ring_entries = options.buffer_count;
  registration.bgid = options.group;
  if (options.mode == Mode::kIncremental) registration.pad = abi::kBufferRingIncremental;
  const int rc = io_uring_register_buf_ring(&ring, &registration, 0);
  if (rc < 0) {
    return fail({.code = rc == -ENOMEM ? Code::kOverloaded : Code::kUnsupported,
                 .os_errno = -rc,
                 .what = "the kernel refused a receive buffer ring"});
  }
  offsets_.assign(options.buffer_count, 0);
  for (std::uint32_t id = 0; id < options.buffer_count; ++id) give(static_cast<std::uint16_t>(id));
  publish();
  return true;
}

BufferRing::Slice BufferRing::take(const io_uring_cqe& completion) {
  const auto buffer = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
  LEAT_CHECK(buffer < options_.buffer_count);
  std::uint32_t& offset = offsets_[buffer];
  const auto size = static_cast<std::uint32_t>(std::max(completion.res, 0));
  LEAT_CHECK(size <= options_.buffer_size - offset);
  Slice slice{{memory_of(buffer) + offset, size}, buffer, true};
  slice.is_last = (completion.flags & abi::kCqeBufferMore) == 0;
  offset += size;
  return slice;
}

std::span<const char> BufferRing::Ahead::next(const io_uring_cqe& completion) {
  if ((completion.flags & IORING_CQE_F_BUFFER) == 0) return {};
  const std::uint32_t buffer = completion.flags >> IORING_CQE_BUFFER_SHIFT;
  if (buffer >= ring_.options_.buffer_count) return {};
  if (buffer != buffer_) offset_ = ring_.offsets_[buffer];
  buffer_ = buffer;
  const auto size = static_cast<std::uint32_t>(std::max(completion.res, 0));
  if (size > ring_.options_.buffer_size - offset_) return {};
  offset_ += size;
  return {ring_.memory_of(static_cast<std::uint16_t>(buffer)) + offset_ - size, size};
}

void BufferRing::release(const Slice& slice) {
  // Earlier slices of this buffer are released already: all are used in the order they came.
  if (slice.is_last) give(slice.buffer);
}

void BufferRing::give(std::uint16_t buffer) {
  offsets_[buffer] = 0;
  auto* ring = static_cast<io_uring_buf_ring*>(entries_.get());
  io_uring_buf_ring_add(ring, memory_of(buffer), options_.buffer_size, buffer,
                        io_uring_buf_ring_mask(options_.buffer_count), unpublished_++);
}

void BufferRing::publish() {
  if (unpublished_ == 0) return;
  io_uring_buf_ring_advance(static_cast<io_uring_buf_ring*>(entries_.get()), unpublished_);
  unpublished_ = 0;
}

}  // namespace leat::io
