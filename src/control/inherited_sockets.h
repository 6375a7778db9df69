// SPDX-License-Identifier: Apache-2.0
// Listening sockets that were open before Leat was started, by systemd's protocol
// (sd_listen_fds(3)): descriptors from 3 on, their number in LISTEN_FDS, their names in
// LISTEN_FDNAMES. A name says what a socket is for: "listen" takes the place of the entry of
// server.listen with its address, "admin" that of admin.listen. Read once, at start.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/surroundings.h"
#include "io/address.h"
#include "io/inherited_listener.h"
#include "leat/options.h"

namespace leat::control {

struct InheritedSockets {
  std::vector<io::InheritedListener> listen;  // may have several of one address, one a shard
  std::vector<io::InheritedListener> admin;
  std::string fault;  // what is wrong with one of them; empty: all have a place

  // Of several of one address every shard has one to itself, as far as they go.
  std::vector<io::InheritedListener> of_shard(std::uint32_t shard) const;
};

// Opens those of `options` that are not among them, one for each shard, so that they can be left to
// another process later. What is wrong, or empty.
std::string open_listeners(const Options& options, std::uint32_t shards, InheritedSockets& sockets);

// Of a process that is taken over from: those with a place in `options`. A fault, if there are more
// of one address than shards: what comes in on the rest would be lost.
InheritedSockets taken_sockets(const std::vector<io::InheritedListener>& listeners,
                               const Options& options, std::uint32_t shards);

// Marks them close-on-exec. `pid`: this process; sockets for another are not ours. A socket whose
// place is not in `options` is a fault: its clients would wait for ever. `first`: the number of the
// first one (sd_listen_fds(3): SD_LISTEN_FDS_START).
InheritedSockets inherited_sockets(const Surroundings& surroundings, int pid,
                                   const Options& options, int first = 3);

}  // namespace leat::control
