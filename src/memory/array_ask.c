/*
 * memory/array_ask.c - the questions to a partitioned array: arithmetic over what does not change
 * between a create and a redistribute, without a system call. Any thread.
 */
#include "memory/array_impl.h"

void *np_array_data(const np_array *array)
{
    return array == NULL ? NULL : array->data;
}

size_t np_array_count(const np_array *array)
{
    return array == NULL ? 0 : array->partition->count;
}

size_t np_array_element_size(const np_array *array)
{
    return array == NULL ? 0 : array->partition->element_bytes;
}

np_distribution np_array_distribution(const np_array *array)
{
    return array == NULL ? NP_DISTRIBUTION_BLOCK : array->partition->distribution;
}

size_t np_array_nodes(const np_array *array, np_node_id *out, size_t capacity)
{
    if (array == NULL)
        return 0;
    const npi_partition *partition = array->partition;
    for (size_t i = 0; i < partition->node_count && i < capacity && out != NULL; i++)
        out[i] = partition->nodes[i];
    return partition->node_count;
}

size_t np_array_block(const np_array *array)
{
    return array == NULL ? 0 : array->partition->block;
}

size_t np_array_page_size(const np_array *array)
{
    return array == NULL ? 0 : array->partition->page_bytes;
}

np_enforcement np_array_enforcement(const np_array *array)
{
    static const np_enforcement nothing = {NP_ENFORCEMENT_NONE, NP_REASON_NOT_REQUESTED, 0};
    return array == NULL ? nothing : array->enforcement;
}

size_t np_array_piece_count(const np_array *array)
{
    return array == NULL ? 0 : array->partition->piece_count;
}

bool np_array_piece(const np_array *array, size_t piece, np_piece *out)
{
    if (array == NULL || out == NULL || piece >= array->partition->piece_count)
        return false;
    const npi_partition *partition = array->partition;
    npi_part part = npi_partition_part(partition, piece);
    *out = (np_piece){.begin = part.begin,
                      .end = part.end,
                      .data = array->data + part.begin * partition->element_bytes,
                      .bytes = (part.end - part.begin) * partition->element_bytes,
                      .node = partition->nodes[part.owner]};
    return true;
}

size_t np_array_piece_of(const np_array *array, size_t element)
{
    if (array == NULL)
        return 0;
    const npi_partition *partition = array->partition;
    return element < partition->count ? npi_partition_piece_of(partition, element)
                                      : partition->piece_count;
}

np_node_id np_array_node_of(const np_array *array, size_t element)
{
    if (array == NULL || element >= array->partition->count)
        return NP_NODE_ID_NONE;
    const npi_partition *partition = array->partition;
    return partition
        ->nodes[npi_partition_owner(partition, npi_partition_piece_of(partition, element))];
}

np_node_id np_array_node_of_address(const np_array *array, const void *address)
{
    if (array == NULL || (uintptr_t)address < (uintptr_t)array->data)
        return NP_NODE_ID_NONE;
    size_t offset = (size_t)((uintptr_t)address - (uintptr_t)array->data);
    return np_array_node_of(array, offset / array->partition->element_bytes);
}

size_t np_array_node_elements(const np_array *array, np_node_id node)
{
    if (array == NULL)
        return 0;
    const npi_partition *partition = array->partition;
    for (size_t i = 0; i < partition->node_count; i++)
        if (partition->nodes[i] == node)
            return partition->elements[i];
    return 0;
}
