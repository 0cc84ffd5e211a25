// Dead letters for staff: listed, read, driven again. The engine's own service, the only one whose handlers
// reach into it.
#include "libs/runtime/dead_letter_parties.h"
#include "libs/runtime/engine_impl.h"

namespace micropay {

// Staff's view of dead letters; the only handlers that reach into the engine.
Service Engine::Impl::runtime_service() {
  Service service{"runtime"};
  service.query(
      [](QueryContext& ctx, const ListDeadLettersRequest& request) -> Result<ListDeadLettersResponse> {
        ListQuery query{.page_size = uint32_t(request.page_size()), .page_token = request.page_token()};
        if (!request.status().empty())
          query.filters.push_back({.field = "status", .value = request.status()});
        if (!request.service().empty())
          query.filters.push_back({.field = "service", .value = request.service()});
        query.order_by = request.order_by();
        const auto page = TRY(ctx.table<DeadLetter>().list(query));
        ListDeadLettersResponse response;
        for (size_t i = 0; i < page.size(); ++i) *response.add_dead_letters() = page[i];
        response.set_next_page_token(page.next_page_token);
        return response;
      });
  service.query([](QueryContext& ctx, const GetDeadLetterRequest& request) -> Result<DeadLetter> {
    return TRY(ctx.table<DeadLetter>().get(request.id())).get();
  });
  service.command([this](Context& ctx, const RedriveDeadLetterRequest& request) -> Result<DeadLetter> {
    const DeadLetter& letter = TRY(ctx.table<DeadLetter>().get(request.id()));
    const std::string& caller = ctx.principal().user_id;
    if (is_about(letter, caller)) TRY(check_not_party(ctx.principal(), {caller}));
    if (letter.status() == DeadLetter::REDRIVEN) return letter;
    TRY(redrive(ctx, letter));
    DeadLetter& edited = ctx.table<DeadLetter>().edit(request.id());
    edited.set_status(DeadLetter::REDRIVEN);
    edited.set_redriven_at(ctx.now());
    return edited;
  });
  return service;
}

}  // namespace micropay
