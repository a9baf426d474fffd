from ..cat import NAME
from . import parrot
from .parrot import speak as parrot_speak
from .. import cat


def uncle():
    return NAME, cat.NAME


def cousin():
    return parrot.speak() == parrot_speak()
