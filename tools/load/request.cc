// SPDX-License-Identifier: Apache-2.0
#include "load/request.h"

#include <fmt/format.h>

#include <algorithm>

#include "wire/json.h"
#include "wire/loop.h"
#include "wire/words.h"

namespace leat::tools {
namespace {

constexpr std::size_t kNonceSize = 32;  // hex digits: of the run, of the request

}  // namespace

Url::Url(const std::string& text) {
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    die("the URL must begin with http:// or https://");
  }
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos) path = rest.substr(slash);
  while (path.ends_with('/')) path.pop_back();
  const std::string_view authority = rest.substr(0, slash);
  const std::size_t colon = authority.rfind(':');
  host = authority.substr(0, colon);
  port = colon == std::string_view::npos ? (tls ? "443" : "80")
                                         : std::string(authority.substr(colon + 1));
  if (host.empty() || port.empty()) die("the URL has no host");
}

RequestForm::RequestForm(const LoadOptions& options, const Url& url)
    : models_(static_cast<std::uint64_t>(options.models)), run_(options.seed) {
  const std::string model = json_text(options.model + (models_ == 0 ? "" : "-1"));
  body_ = fmt::format(R"({{"model":{})", model);
  model_digit_at_ = body_.size() - 2;  // before the quote
  body_ += R"(,"messages":)";
  messages_at_ = body_.size();
  body_ += R"([{"role":"system","content":"Answer briefly."},{"role":"user","content":")";
  nonce_at_ = body_.size();
  body_.append(kNonceSize, '0');
  const std::size_t used = body_.size() - messages_at_;
  body_ += filler(options.prompt_bytes > used ? options.prompt_bytes - used : 0);
  body_ += "\"}]";
  messages_size_ = body_.size() - messages_at_;
  body_ += fmt::format(R"(,"max_tokens":{},"temperature":0.7)", options.tokens);
  if (options.stream) body_ += R"(,"stream":true)";
  if (options.stream && options.include_usage) {
    body_ += R"(,"stream_options":{"include_usage":true})";
  }
  body_ += '}';

  std::vector<std::string> keys = options.keys;
  if (keys.empty()) keys.emplace_back();
  for (const std::string& key : keys) {
    heads_.push_back(
        fmt::format("POST {}/chat/completions HTTP/1.1\r\nHost: {}:{}\r\n{}"
                    "Content-Type: application/json\r\nAccept: {}\r\nUser-Agent: leat-load\r\n"
                    "{}Content-Length: {}\r\n\r\n",
                    url.path, url.host, url.port,
                    key.empty() ? "" : fmt::format("Authorization: Bearer {}\r\n", key),
                    options.stream ? "text/event-stream" : "application/json",
                    options.keep_alive ? "" : "Connection: close\r\n", body_.size()));
  }
}

RequestForm::Request RequestForm::make(std::uint64_t number, std::size_t index) {
  const std::string nonce = fmt::format("{:016x}{:016x}", run_, number);
  std::copy(nonce.begin(), nonce.end(), body_.begin() + static_cast<std::ptrdiff_t>(nonce_at_));
  if (models_ != 0) body_[model_digit_at_] = static_cast<char>('1' + number % models_);
  bytes_ = heads_[index % heads_.size()];
  bytes_ += body_;
  return {bytes_, seed_of(std::string_view(body_).substr(messages_at_, messages_size_))};
}

}  // namespace leat::tools
