// SPDX-License-Identifier: Apache-2.0
#include "net/stream.h"

#include <cstring>

#include "net/loose_stream.h"

namespace leat::net {

void StreamUser::on_lent(std::unique_ptr<LooseStream>) {}

void Stream::write(std::string_view bytes) {
  if (bytes.empty()) return;
  std::memcpy(prepare(bytes.size()), bytes.data(), bytes.size());
  commit(bytes.size());
}

}  // namespace leat::net
