// Who read what of a user: entries of the user's audit trail.
#ifndef KYC_SERVICES_KYC_SERVER_ACCESS_LOG_H_
#define KYC_SERVICES_KYC_SERVER_ACCESS_LOG_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/call_context.h"
#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/async/task.h"
#include "services/kyc/domain/tenant.h"
#include "services/kyc/store/record_store.h"

namespace kyc::server {

inline constexpr std::string_view kReadDetails = "partner_read_details";
inline constexpr std::string_view kReadImage = "partner_read_image";

struct Access {
  std::string id;  // Of the audit entry.
  int64_t time_ms = 0;
  domain::Tenant partner;
  std::string key_id;
  std::string pint_id;
  std::string action;    // kReadDetails or kReadImage.
  std::string image_id;  // Of the latter.

  bool operator==(const Access&) const = default;
};

// One loop's; used on its thread.
class AccessLog {
 public:
  // Both outlive the object.
  AccessLog(async::Redis& redis, store::RecordStore& records)
      : redis_(redis), records_(records) {}

  // Stores an access, all but its id and time, before what was asked for is
  // given out. Those of one user wait for each other: each hangs on the one
  // before it.
  async::Task<absl::Status> Add(async::CallContext context, std::string user_id,
                                Access access);

  struct Page {
    std::vector<Access> accesses;  // The newest first.
    std::string next;              // Empty: there are no more.
  };
  // `after` is empty or the `next` of the page before (KYC-422-002 for
  // anything else). A page may have fewer than `limit` accesses, also none,
  // and go on: only so many entries are looked at for one.
  async::Task<absl::StatusOr<Page>> List(std::string user_id, size_t limit,
                                         std::string after);

 private:
  async::Redis& redis_;
  store::RecordStore& records_;
  std::unordered_set<std::string> writing_;  // Users whose trail is written.
  async::Event written_;
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_ACCESS_LOG_H_
