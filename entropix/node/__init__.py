"""A DICOM node: studies come in by C-STORE, are scored when they are complete, and their results go out.

_queue     studies on disk, in a folder for each state, from one of which to the next they go by a rename.
_receiver  the service that other nodes send to.
_sender    results to another node.
_retries   when what has failed is tried again.
_node      `Node`: what happens to a study, and the loop.
"""

from entropix.node._node import Node
from entropix.node._queue import Queue
from entropix.node._sender import Destination

__all__ = ["Destination", "Node", "Queue"]
