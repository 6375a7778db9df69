// SPDX-License-Identifier: Apache-2.0
// RequestForm: builds the requests of a run: all alike but for key and nonce. The nonce stands in
// the prompt, so each answer has words of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "load/options.h"

namespace leat::tools {

// "http(s)://HOST[:PORT][/PATH]"; ends the process with a message if it is not.
struct Url {
  explicit Url(const std::string& text);

  bool tls = false;
  std::string host;
  std::string port;
  std::string path;  // without a slash at its end
};

class RequestForm {
 public:
  RequestForm(const LoadOptions& options, const Url& url);

  struct Request {
    std::string_view bytes;  // valid until the next call
    std::uint64_t seed;      // of the answer's words
  };
  // Request `number` of the run, with the key of connection `index`.
  Request make(std::uint64_t number, std::size_t index);

 private:
  std::vector<std::string> heads_;  // one a key
  std::string body_;
  std::uint64_t models_ = 0;
  std::size_t model_digit_at_ = 0;
  std::size_t nonce_at_ = 0;
  std::size_t messages_at_ = 0;
  std::size_t messages_size_ = 0;
  std::uint64_t run_ = 0;
  std::string bytes_;
};

}  // namespace leat::tools
