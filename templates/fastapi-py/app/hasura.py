"""What Hasura calls: Actions and Event Triggers. Without WEBHOOK_SECRET there are no such routes."""

import logging
from collections.abc import Callable, Coroutine
from hmac import compare_digest
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel

from app.settings import Settings

log = logging.getLogger("app.hasura")


class Told(APIRoute):
    """A route whose refusals have the form that Hasura passes on to its caller: 4xx with a `message`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the route's handler, its refusals put into that form."""
        handler = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handler(request)
            except HTTPException as error:
                return JSONResponse({"message": error.detail}, error.status_code)
            except RequestValidationError as error:
                wrong = "; ".join(
                    f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
                )
                return JSONResponse({"message": wrong}, HTTPStatus.BAD_REQUEST)

        return told


class Name(BaseModel):
    """The arguments of the Action `greet`."""

    name: str


class ActionCall(BaseModel):
    """What Hasura sends for an Action; `session_variables` is there too, with who asks."""

    input: Name


class Message(BaseModel):
    """The output type of the Action `greet`."""

    message: str


class Change(BaseModel):
    """What happened to the row; `data` is there too, with the row before and after."""

    op: Literal["INSERT", "UPDATE", "DELETE", "MANUAL"]


class Event(BaseModel):
    """What Hasura sends for an Event Trigger."""

    id: str
    event: Change


def router(settings: Settings) -> APIRouter:
    """Return the routes, each behind the secret."""
    if settings.webhook_secret is None:
        return APIRouter()
    wanted = settings.webhook_secret.encode()

    def checked(x_webhook_secret: Annotated[str, Header()] = "") -> None:
        if not compare_digest(x_webhook_secret.encode(), wanted):
            raise HTTPException(HTTPStatus.UNAUTHORIZED, "wrong webhook secret")

    routes = APIRouter(
        prefix="/hasura", route_class=Told, dependencies=[Depends(checked)], include_in_schema=False
    )

    @routes.post("/actions/greet")
    async def greet(call: ActionCall) -> Message:
        """Answer with the fields of the output type, or raise HTTPException(400, "why") to refuse."""
        return Message(message=f"Hello, {call.input.name}.")

    @routes.post("/events/{trigger}", status_code=HTTPStatus.NO_CONTENT)
    async def event(trigger: str, event: Event) -> None:
        """Take it: any 2xx ends it, anything else is tried again. The same may come twice: look at its id."""
        log.info("event", extra={"trigger": trigger, "event_id": event.id, "op": event.event.op})

    return routes
