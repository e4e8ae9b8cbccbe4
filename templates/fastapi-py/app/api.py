"""The routes for people: yours. Start here."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

router = APIRouter()


class Greeting(BaseModel):
    """What the service says of itself."""

    service: str
    message: str


@router.get("/")
async def greet(request: Request, name: str = "world") -> Greeting:
    """Say hello."""
    return Greeting(service=request.app.title, message=f"Hello, {name}.")
