// A cap on how much of something goes on at the same time.
#ifndef KYC_GATEWAY_HTTP_IN_FLIGHT_LIMIT_H_
#define KYC_GATEWAY_HTTP_IN_FLIGHT_LIMIT_H_

#include <atomic>
#include <optional>
#include <utility>

namespace kyc::gateway {

// Thread-safe. Outlives its places.
class InFlightLimit {
 public:
  // A place taken, given back by the destructor.
  class Place {
   public:
    Place(Place&& other) noexcept
        : limit_(std::exchange(other.limit_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (limit_ != nullptr) limit_->taken_.fetch_sub(1);
    }

   private:
    friend class InFlightLimit;
    explicit Place(InFlightLimit* limit) : limit_(limit) {}
    InFlightLimit* limit_;
  };

  explicit InFlightLimit(int most) : most_(most) {}

  // Nothing when all places are taken.
  std::optional<Place> Take() {
    if (taken_.fetch_add(1) < most_) return Place(this);
    taken_.fetch_sub(1);
    return std::nullopt;
  }

 private:
  const int most_;
  std::atomic<int> taken_ = 0;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_HTTP_IN_FLIGHT_LIMIT_H_
