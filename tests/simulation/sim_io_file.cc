// SPDX-License-Identifier: Apache-2.0
// SimIo's files: writes begin with the turn after they were asked for, and their bytes must stay as
// they were given until they end.
#include <utility>

#include "simulation/sim_io.h"

namespace leat::sim {

namespace {
constexpr std::size_t kDirectUnit = 4096;  // of O_DIRECT
}  // namespace

void SimIo::write_durable(int fd, BlockRef block, std::size_t offset, std::size_t size,
                          std::uint64_t position, io::FileHandler& handler) {
  if (offset + size > block->capacity()) return broken("write_durable() beyond its block");
  const char* begin = block->data() + offset;
  if ((reinterpret_cast<std::uintptr_t>(begin) | size | position) % kDirectUnit != 0 || size == 0) {
    return broken("write_durable() of what is not aligned");
  }
  file_writes_.push_back({.handler = &handler,
                          .fd = fd,
                          .block = std::move(block),
                          .offset = offset,
                          .size = size,
                          .position = position,
                          .bytes = std::string(begin, size)});
  stir();
}

void SimIo::forget(io::FileHandler& handler) {
  for (FileWrite& write : file_writes_) {
    if (write.handler == &handler) write.handler = nullptr;
  }
}

void SimIo::submit_files() {
  for (; files_submitted_ < file_writes_.size(); ++files_submitted_) {
    FileWrite& write = file_writes_[files_submitted_];
    if (std::string_view(write.block->data() + write.offset, write.size) != write.bytes) {
      broken("bytes of a write_durable() changed before its turn()");
    }
    write.number = world_.disk().write(write.fd, write.position, write.bytes, *this);
  }
}

void SimIo::on_disk(std::uint64_t number, int error) {
  // Those that are still under way stand at the end.
  std::size_t slot = files_submitted_ - 1;
  while (file_writes_[slot].number != number) --slot;
  FileWrite& write = file_writes_[slot];
  if (std::string_view(write.block->data() + write.offset, write.size) != write.bytes) {
    broken("bytes of a write_durable() changed while it was under way");
  }
  queue({Op::kFile, static_cast<std::uint32_t>(slot), 0, error});
}

void SimIo::dispatch_file(const Completion& completion) {
  FileWrite& write = file_writes_[completion.slot];
  write.block.reset();
  write.bytes.clear();
  if (write.handler == nullptr) {
    ++stats_.late_completions;
    return;
  }
  io::FileHandler* handler = std::exchange(write.handler, nullptr);
  handler->on_written(completion.result);
}

}  // namespace leat::sim
