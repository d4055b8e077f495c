"""Every warning of the package."""

from .messages import Messages


class Warnings(metaclass=Messages):
    W001 = (
        "doc._.{attr} belongs to another package, so relations are not shown there. They are in "
        "spacy_docre.get_relations(doc); or choose another name, for example relations_attr = "
        "'docre_relations' in the config of the component."
    )
    W002 = (
        "{n_mentions} mention(s) in {n_docs} document(s) got no token vector (the encoder's windows cut "
        "them off): entities without any are judged by their type and distance alone. Use longer or overlapping "
        "windows (get_spans)."
    )
    W003 = (
        "{n_tokens} visible token(s) in {n_docs} document(s) got no token vector (the encoder's windows "
        "cut them off). Use longer or overlapping windows (get_spans)."
    )
    W004 = (
        "{n_docs} document(s) have more than max_entities_for_axial = {limit} entities: the axial "
        "attention is left out for them."
    )
    W005 = "Precision {precision!r} is not supported on {device}; {fallback} is used instead."
    W006 = "{n_mentions} mention(s) in {n_docs} document(s) do not fit the tokens and were left out."
    W007 = (
        "The training data has documents whose labels are {status}, and no soft labels: only the relations that they "
        "have are learned from, nothing from their absence."
    )
    W008 = (
        "{n_relations} relation(s) of a training document are not learned: {reason}. The component's targets.counts "
        "has the total."
    )
    W009 = (
        "A document has no sentence boundaries, so the evidence for relations is given in windows of {window} tokens. "
        "Put a component that sets them before this one: nlp.add_pipe('sentencizer', before='docre_relations'), or "
        "a parser."
    )
    W010 = (
        "No such file: {path}, so there is no Ign F1. The pipeline was trained with it; name a file for scoring with "
        "`python -m spacy docre evaluate --facts FILE`, or set facts = null in [components.docre_relations.scorer]."
    )
    W011 = (
        "DSC: alpha = {alpha} makes a positive cheapest at a probability of {best:.2f}, so training pushes it "
        "away from 1. Take at most {most}."
    )
    W012 = (
        "Sum has losses that start or end at a step, but nobody counts steps, so it stays at step 0. Add "
        '[training.before_update] @callbacks = "spacy-docre.count_steps.v1", or call loss.set_step(step).'
    )
    W013 = (
        "Entities of a type that the training data did not have: {found}; it had {known}. Relations of such entities "
        "are hardly found. Give docre_entities, before docre_relations, a type_map from one to the other; for entities "
        "of your own, give their Spans such labels: Span(doc, 0, 2, label='PER')."
    )
    W014 = (
        "Calibration of {teacher} gives a scale of {scale:.2f}: its higher margins do not mean that more holds. Its "
        "probabilities are left as they are. Train it longer, or calibrate on documents with the labels that it knows."
    )
    W015 = (
        "{name} has predicted_share > 0, and {missing} will not annotate in training, so nothing is found there to "
        "learn from. Set [training] annotating_components = {needed}."
    )
    W016 = (
        "A document came to {name} without entities, and no component had looked for any, so it has no relations. Put "
        "a component that finds them before {name} (a ner, an entity_ruler), or give documents with doc.ents or "
        "set_entities."
    )
    W017 = (
        "The documents have logits of a teacher {name!r} already; they are replaced. If that was another model, begin "
        "anew with documents without its logits, and name both in one call: annotate MODEL IN… OUT_DIR --also MODEL."
    )
    W018 = (
        "The pipeline knows none of the labels in the documents that it is scored on, so F1 is 0: {given} there, "
        "{known} here. Were both converted with the same --labels?"
    )
    W019 = "The schema has no rule for any label of the pipeline, so it changes nothing: {given} there, {known} here."
    W020 = (
        "A document that came to {name} has predicted relations already, so its entities are left as they are. If "
        "docre_relations comes earlier in the pipeline, put {name} before it; what it finds now is too late."
    )
    W021 = (
        "In step {step} what is reported for {names} is no finite number (its loss, or an encoder's gradient). "
        'Training goes on, most likely for nothing: lower the learning rates, or set precision = "float32".'
    )
    W022 = (
        "{name}.targets.teacher_weights names teachers that no document (of those looked at) has logits of: {unknown}. "
        "There are: {found}."
    )
    W023 = (
        "A component has left data in doc.user_data that no .spacy file can take: {keys}. They are left out of what is "
        "written; all else is there."
    )
    W024 = (
        "The pipeline has two components for relations, {other} and {name}: what the first finds is replaced by what "
        "the last one finds. Train one with the labels of both, or take two pipelines."
    )
    W025 = (
        "The documents have relations with labels that the teacher does not know, so a student of it will not learn "
        "them: {unknown}. Train the teacher with them too, or convert all documents with the same --labels."
    )
    W026 = (
        "The probabilities of {calibrated} are calibrated and those of {raw} are not, and a student learns their mean. "
        "Give --calibrate each time, or never."
    )
    W027 = (
        "No evaluation was better than that of step 0, before training: model-best is what training started from. "
        "Train longer or at other rates, or take model-last."
    )
    W028 = (
        "{n} of the {n_all} relations in {path} have labels that the pipeline does not know, so they are missed: "
        "{unknown}. Were both converted with the same --labels?"
    )
    W029 = "{path}: two labels have the name {name!r} and become one ({ids})."
    W030 = (
        "No document in {path} has a relation, so the scores are 0 whatever the pipeline finds. They want documents "
        "with labels; what it finds in these, `docre apply` and `docre show` tell."
    )
    W031 = (
        "{path} knows nothing of these labels: {labels}. How often they are left out is not known, so what the "
        "teacher thinks of unlabelled pairs is taken as it is."
    )
