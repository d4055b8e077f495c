from pathlib import Path

from setuptools import find_packages, setup

PREFIX = "spacy-docre"


def registered(**functions: str) -> list[str]:
    """Entry points `spacy-docre.<name>.v1 = spacy_docre.<module>:<function>`."""
    return [f"{PREFIX}.{name}.v1 = spacy_docre.{target}" for name, target in functions.items()]


setup(
    name="spacy-docre",
    version="0.1.0",
    description="Document-level relation extraction for spaCy",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf8"),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=find_packages(include=["spacy_docre", "spacy_docre.*"]),
    package_data={"spacy_docre": ["py.typed"]},
    python_requires=">=3.10,<3.14",
    install_requires=[
        "spacy>=3.8.7,<3.9",
        "spacy-transformers>=1.4.0,<1.5",
        "thinc>=8.3.4,<8.4",
        "torch>=2.4",  # its AdamW is fused on CPU too
        "numpy>=1.26",
        "typer>=0.9",
        # the head's weights: safe to load, whatever their source
        "safetensors>=0.4",
        # DocRED files of several gigabytes, read one document at a time
        "ijson>=3.2.3",
    ],
    extras_require={
        # plots of `spacy docre report`
        "report": ["matplotlib>=3.8"],
        # scipy: scores of clusters, `spacy docre evaluate --end-to-end`
        "evaluate": ["scipy>=1.10"],
        # build: `spacy package --build wheel`
        "project": ["build>=1", "matplotlib>=3.8", "scipy>=1.10"],
        # scikit-learn: baselines of the invented corpus
        "dev": [
            *["build>=1", "pytest>=8", "hypothesis>=6", "ruff>=0.6", "mypy>=1.11"],
            *["scikit-learn>=1.4", "scipy>=1.10", "matplotlib>=3.8"],
        ],
    },
    entry_points={
        "spacy_factories": [
            "docre_entities = spacy_docre.pipeline.docre_entities:make_docre_entities",
            "docre_relations = spacy_docre.pipeline.docre_relations:make_docre_relations",
        ],
        "spacy_cli": ["docre = spacy_docre.cli:setup"],
        "spacy_architectures": registered(
            **{
                "DocRE": "models.docre:build_docre_v1",
                "EntityAttention": "models.parts:build_entity_attention_v1",
                "GroupBilinear": "models.parts:build_group_bilinear_v1",
                "AxialAttention": "models.parts:build_axial_attention_v1",
                "MentionLinker": "models.mention_linker:build_mention_linker_v1",
                "SurfaceTok2Vec": "models.surface:build_surface_tok2vec_v1",
                "TransformerModel": "models.transformer:build_transformer_model_v1",
                "Tok2VecTransformer": "models.transformer:build_tok2vec_transformer_v1",
            }
        ),
        "thinc_losses": registered(
            **{
                "ATL": "losses.atl:build_atl_v1",
                "AdaptiveFocal": "losses.adaptive_focal:build_adaptive_focal_v1",
                "BernoulliKL": "losses.distillation:build_bernoulli_kl_v1",
                "BCE": "losses.bce:build_bce_v1",
                "DSC": "losses.overlap:build_dsc_v1",
                "Dice": "losses.overlap:build_dice_v1",
                "EMO": "losses.emo:build_emo_v1",
                "EXACT": "losses.exact:build_exact_v1",
                "Focal": "losses.focal:build_focal_v1",
                "LogitMSE": "losses.distillation:build_logit_mse_v1",
                "PowerBCE": "losses.power_bce:build_power_bce_v1",
                "SSRPU": "losses.ssrpu:build_ssrpu_v1",
                "Sum": "losses.sum:build_sum_v1",
                "SymmetricKL": "losses.distillation:build_symmetric_kl_v1",
                "TemperatureKL": "losses.distillation:build_temperature_kl_v1",
                "Tversky": "losses.overlap:build_tversky_v1",
                "ZLPR": "losses.zlpr:build_zlpr_v1",
                "ZLPRDistil": "losses.distillation:build_zlpr_distil_v1",
            }
        ),
        "spacy_callbacks": registered(
            copy_weights="training.callbacks:create_copy_weights_v1",
            count_steps="training.callbacks:create_count_steps_v1",
        ),
        "thinc_optimizers": registered(AdamW="training.adamw:create_adamw_v1"),
        "spacy_misc": registered(
            AliasGrouper="grouping.aliases:build_alias_grouper_v1",
            CoreferenceGrouper="grouping.coreference:build_coreference_grouper_v1",
            KnowledgeBaseGrouper="grouping.names:build_knowledge_base_grouper_v1",
            MixedTargets="features.targets:create_mixed_targets_v1",
            Schema="features.schema:create_schema_v1",
            NameGrouper="grouping.names:build_name_grouper_v1",
            OntoNotesTypes="pipeline.docre_entities:create_ontonotes_types_v1",
        ),
        "spacy_readers": registered(
            Corpus="readers.corpus:create_corpus_v1", TeacherLabels="readers.manifest:create_teacher_labels_v1"
        ),
        "spacy_scorers": registered(
            relation_scorer="scoring.relation_scorer:create_relation_scorer_v1",
            entity_scorer="scoring.entity_scorer:create_entity_scorer_v1",
        ),
        "spacy_loggers": registered(ConsoleLogger="training.loggers:create_console_logger_v1"),
        "spacy_batchers": registered(batch_by_pairs="training.batchers:create_batch_by_pairs_v1"),
    },
)
