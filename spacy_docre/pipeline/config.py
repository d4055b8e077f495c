"""The default config of `docre_relations`."""

from thinc.api import Config

from ..errors import Errors

DEFAULT_CONFIG = """
[docre_relations]
threshold_offset = 0.0
max_labels_per_pair = 4
relations_attr = "relations"
distillation = null
loss_weight = 1.0
rdrop_alpha = 0.0
evidence_weight = 0.0
schema = null

[docre_relations.model]
@architectures = "spacy-docre.DocRE.v1"
hidden_width = 192
threshold_column = "learned"
max_pair_batch = 4096
max_entities_for_axial = 512
precision = "float32"

[docre_relations.model.tok2vec]
@architectures = "spacy-transformers.TransformerListener.v1"
grad_factor = 1.0
upstream = "*"

[docre_relations.model.tok2vec.pooling]
@layers = "reduce_mean.v1"

[docre_relations.model.attention]
@architectures = "spacy-docre.EntityAttention.v1"
n_heads = 8
head_width = 48
n_distances = 24
locality = 1.5

[docre_relations.model.pair_scorer]
@architectures = "spacy-docre.GroupBilinear.v1"
block_size = 16

[docre_relations.model.axial]
@architectures = "spacy-docre.AxialAttention.v1"
n_layers = 2
n_heads = 8
hidden_factor = 2

[docre_relations.loss]
@losses = "spacy-docre.AdaptiveFocal.v1"
gamma = 1.0
plus_one = true

[docre_relations.targets]
@misc = "spacy-docre.MixedTargets.v1"
mode = "teacher_soft"
trust = 0.0
teacher_scale = 1.0
teacher_weights = {}

[docre_relations.scorer]
@scorers = "spacy-docre.relation_scorer.v1"
facts = null
allow_incomplete = false
"""

SCORE_WEIGHTS: dict[str, float | None] = {
    "rel_micro_f": 1.0,
    "rel_micro_p": None,
    "rel_micro_r": None,
    "rel_ign_f": None,
    "rel_intra_f": None,
    "rel_inter_f": None,
    "rel_macro_rare_f": None,
    "rel_evidence_f": None,
    "rel_per_label": None,
    "rel_counts": None,
}


def default_config() -> dict:
    return Config().from_str(DEFAULT_CONFIG)["docre_relations"]


def require_at_least(least: float, **settings: float) -> None:
    """Raise ValueError for a setting that is less."""
    for name, value in settings.items():
        if value < least:
            raise ValueError(Errors.E081.format(name=name, expected=f">= {least}", value=value))
