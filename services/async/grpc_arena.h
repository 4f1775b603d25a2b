// The messages of a unary call on an arena of their own: for calls whose
// messages have many parts, which then are neither made nor destroyed one by
// one. A service has one for each such method, and names it in its
// constructor:
//
//   SetMessageAllocatorFor_BatchGetStatus(&batch_messages_);
#ifndef KYC_SERVICES_ASYNC_GRPC_ARENA_H_
#define KYC_SERVICES_ASYNC_GRPC_ARENA_H_

#include <google/protobuf/arena.h>
#include <grpcpp/support/message_allocator.h>

namespace kyc::async {

// Thread-safe. Outlives the server.
template <typename Request, typename Response>
class ArenaMessages final : public grpc::MessageAllocator<Request, Response> {
 public:
  grpc::MessageHolder<Request, Response>* AllocateMessages() override {
    return new Messages;
  }

 private:
  class Messages final : public grpc::MessageHolder<Request, Response> {
   public:
    Messages() {
      using google::protobuf::Arena;
      this->set_request(Arena::CreateMessage<Request>(&arena_));
      this->set_response(Arena::CreateMessage<Response>(&arena_));
    }
    void Release() override { delete this; }

   private:
    google::protobuf::Arena arena_;
  };
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_GRPC_ARENA_H_
