// SPDX-License-Identifier: Apache-2.0
#include "gateway/succession.h"

#include <string>
#include <utility>

namespace leat::gateway {

void Succession::set_successor(const Successor& successor) {
  net::Origin origin;
  const std::string address = successor.address.to_string();
  origin.host = address.substr(0, address.rfind(':'));
  origin.port = successor.address.port;
  origin.allow_private = true;  // it listens on loopback
  dialer_ = std::make_unique<net::TcpDialer>(shard_, streams_, resolver_, std::move(origin),
                                             net::ConnectLimits());
  token_ = successor.token;
}

void Succession::begin(Passage& passage, const io::Address& client, std::string_view sent) {
  const auto preamble = passage_preamble(token_, client);
  std::string first(preamble.data(), preamble.size());
  first += sent;
  passage.start(*dialer_, std::move(first));
}

}  // namespace leat::gateway
