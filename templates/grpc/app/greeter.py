"""What the service does: yours. Start here; what it offers is in protocol/greeter.proto."""

from collections.abc import AsyncIterator

from grpc import StatusCode
from grpc.aio import ServicerContext

from app.protocol.greeter_pb2 import GreetEachRequest, GreetEachResponse, GreetRequest, GreetResponse
from app.protocol.greeter_pb2_grpc import GreeterServiceServicer
from app.resources import Resources


class Greeter(GreeterServiceServicer):
    """Says hello."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    async def Greet(
        self, request: GreetRequest, context: ServicerContext[GreetRequest, GreetResponse]
    ) -> GreetResponse:
        """Answer, or refuse with a status that says whose fault it is."""
        if not request.name:
            await context.abort(StatusCode.INVALID_ARGUMENT, "a name is needed")
        return GreetResponse(message=f"Hello, {request.name}.")

    async def GreetEach(
        self,
        request_iterator: AsyncIterator[GreetEachRequest],
        context: ServicerContext[GreetEachRequest, GreetEachResponse],
    ) -> AsyncIterator[GreetEachResponse]:
        """Answer each as it comes."""
        async for request in request_iterator:
            yield GreetEachResponse(message=f"Hello, {request.name}.")
