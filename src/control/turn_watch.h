// SPDX-License-Identifier: Apache-2.0
// TurnWatch: whether every shard still turns, from its count of turns. A shard that has nothing to
// do turns a few times a second all the same, so a count that stands still means that it is stuck.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace leat::control {

class TurnWatch {
 public:
  // `turns`: one count a shard, always as many. Whether each has grown since the last call; the
  // first call has nothing to compare with and is content.
  bool all_moved(std::vector<std::uint64_t> turns) {
    bool moved = true;
    for (std::size_t i = 0; i < last_.size(); ++i) moved = moved && turns[i] != last_[i];
    last_ = std::move(turns);
    return moved;
  }

 private:
  std::vector<std::uint64_t> last_;
};

}  // namespace leat::control
