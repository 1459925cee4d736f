// Constraints of attacks from the files and words that the user gave.
#pragma once

#include "attacks/constraints.h"
#include "engine/source.h"
#include "tools/evaluator_options.h"

namespace inocula {

/// --region, --eps-scale, --channels and --bits for this split. Errors: usage as EvaluatorOptions::check;
/// no_input and bad_data as the files have it, bad_data where an array is of another type or shape than the
/// split asks for, a factor is negative or not finite, or the channels of an image differ that were said to
/// be the same.
attacks::Constraints load_constraints(const EvaluatorOptions& options, const ImageSplit& split);

}  // namespace inocula
