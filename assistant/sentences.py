"""What the assistant says when the model has no answer."""

COULD_NOT = "I could not answer just now. Please try again later."
CANNOT_HELP = "I cannot help with that."
