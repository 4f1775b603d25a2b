#include "services/base/hmac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <memory>

namespace kyc::base {
namespace {

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// To look its hash up costs OpenSSL more than to hash a webhook, so each thread
// keeps one of these per hash. Not thread-safe.
class Maker {
 public:
  explicit Maker(std::string hash) {
    EVP_MAC* hmac = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr);
    context_.reset(EVP_MAC_CTX_new(hmac));
    EVP_MAC_free(hmac);
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash.data(), 0),
        OSSL_PARAM_construct_end()};
    if (context_ != nullptr &&
        EVP_MAC_CTX_set_params(context_.get(), parameters) != 1) {
      context_.reset();
    }
  }

  std::string Make(std::string_view key,
                   const std::vector<std::string_view>& pieces) {
    if (context_ == nullptr) return {};
    std::string code(EVP_MAX_MD_SIZE, '\0');
    size_t size = 0;
    bool ok = Begin(key);
    for (const std::string_view piece : pieces) {
      ok =
          ok && EVP_MAC_update(context_.get(), Bytes(piece), piece.size()) == 1;
    }
    ok = ok && EVP_MAC_final(context_.get(),
                             reinterpret_cast<unsigned char*>(code.data()),
                             &size, code.size()) == 1;
    Begin(kNoKey);  // Takes the key's place.
    code.resize(ok ? size : 0);
    return code;
  }

 private:
  static constexpr std::string_view kNoKey = "-";

  struct Free {
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
  };

  bool Begin(std::string_view key) {
    // A null pointer would mean the key of before.
    if (key.data() == nullptr) key = "";
    return EVP_MAC_init(context_.get(), Bytes(key), key.size(), nullptr) == 1;
  }

  std::unique_ptr<EVP_MAC_CTX, Free> context_;
};

Maker& MakerOf(HmacHash hash) {
  thread_local Maker sha1("SHA1");
  thread_local Maker sha256("SHA256");
  thread_local Maker sha512("SHA512");
  switch (hash) {
    case HmacHash::kSha1:
      return sha1;
    case HmacHash::kSha256:
      break;
    case HmacHash::kSha512:
      return sha512;
  }
  return sha256;
}

}  // namespace

std::string Hmac(HmacHash hash, const Secret& key,
                 const std::vector<std::string_view>& pieces) {
  return MakerOf(hash).Make(key.Reveal(), pieces);
}

}  // namespace kyc::base
