// SPDX-License-Identifier: Apache-2.0
// Steering: a connection goes to the shard on whose core the kernel took its first packet, so that
// interrupt, TCP and shard work in one cache. The listeners of one address, one a shard, are a
// group of SO_REUSEPORT; a program of the group names the listener for each new connection. Without
// one the kernel takes a hash of addresses and ports.
//
//   packet -> queue -> interrupt on core 3 -> program: "listener 1" -> shard 1, pinned to core 3
//
// A place in the group is a place in the order of listen(2), which stays while none of them is
// closed: descriptors that pass from process to process keep it. A program belongs to the group and
// not to a descriptor, so any one of them sets it, for all, and for connections to come.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

namespace leat::io {

// Of a group whose listener i belongs to `cores[i]`. A packet on any other core is left to the
// kernel's hash.
std::vector<sock_filter> steering_program(std::span<const std::uint32_t> cores);

// Sets it for the group of `listener`; with no cores takes any program of the group's away. 0, or
// an errno: then the group is as before.
int steer(int listener, std::span<const std::uint32_t> cores);

}  // namespace leat::io
