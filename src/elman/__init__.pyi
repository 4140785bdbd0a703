"""What `import elman` gives, for type checkers and editors; `__init__.py` imports each name when it is first used."""

from .compression import Codec as Codec
from .compression import Store as Store
from .corpora import Corpus as Corpus
from .corpora import load_corpus as load_corpus
from .errors import CompressedError as CompressedError
from .errors import CorpusError as CorpusError
from .errors import ElmanError as ElmanError
from .errors import EmptyTextError as EmptyTextError
from .errors import InputError as InputError
from .errors import ModelFileError as ModelFileError
from .errors import TrainingDiverged as TrainingDiverged
from .errors import WorkerLost as WorkerLost
from .generation import Beam as Beam
from .generation import Sampling as Sampling
from .generation import beam_search as beam_search
from .generation import generate as generate
from .generation import stream as stream
from .model import GRU as GRU
from .model import LSTM as LSTM
from .model import RNN as RNN
from .model import LanguageModel as LanguageModel
from .model import Model as Model
from .model import QuantisedModel as QuantisedModel
from .model import load as load
from .model import quantise as quantise
from .model import save as save
from .recipes import Recipe as Recipe
from .recipes import load_recipe as load_recipe
from .runs import Run as Run
from .scoring import Score as Score
from .scoring import after as after
from .scoring import score as score
from .text import Reading as Reading
from .text import Vocabulary as Vocabulary
from .text import normalise as normalise
from .training import build_model as build_model
from .training import fit as fit
from .training import resume as resume
from .typing import Typist as Typist

quantize = quantise
normalize = normalise

__version__: str
__all__ = [
    "Beam",
    "Codec",
    "CompressedError",
    "Corpus",
    "CorpusError",
    "ElmanError",
    "EmptyTextError",
    "GRU",
    "InputError",
    "LSTM",
    "LanguageModel",
    "Model",
    "ModelFileError",
    "QuantisedModel",
    "RNN",
    "Reading",
    "Recipe",
    "Run",
    "Sampling",
    "Score",
    "Store",
    "TrainingDiverged",
    "Typist",
    "Vocabulary",
    "WorkerLost",
    "after",
    "beam_search",
    "build_model",
    "fit",
    "generate",
    "load",
    "load_corpus",
    "load_recipe",
    "normalise",
    "quantise",
    "resume",
    "save",
    "score",
    "stream",
]
