// SPDX-License-Identifier: Apache-2.0
// ManagementDesk: where requests to the management API are handed in, on the control shard: whose
// they are, and who answers them later. Implemented by whoever has the account store's thread
// (app/account_keeper.h), used by the admin listener.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "control/account_thread.h"

namespace leat::control {

class ManagementDesk {
 public:
  virtual ~ManagementDesk() = default;

  // Whether there is anything to manage. If not, its paths are not there.
  virtual bool is_open() const = 0;
  // Who shows this; none: nobody who may manage. Takes one time for whatever is wrong with it.
  virtual std::optional<ManagementActor> actor_of(std::string_view shown) const = 0;
  // Hands `job` in; `then` is called once, in a later turn, unless forget() was. Returns a number
  // for that; 0: too many wait.
  using Then = std::function<void(const ManagementAnswer&)>;
  virtual std::uint64_t ask(AccountJob job, Then then) = 0;
  // Nobody waits for the answer any more. What was asked is done all the same.
  virtual void forget(std::uint64_t ticket) = 0;
};

}  // namespace leat::control
